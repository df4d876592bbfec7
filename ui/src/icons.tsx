import type { ComponentChildren } from 'preact';
import type { ActorNode } from '../../src/protocol/actor-node.ts';
import type { Status } from './store.ts';

/** Every icon is decoration: the words beside it, or its row's label, say the same. */
function Glyph({ size = 14, children }: { size?: number; children: ComponentChildren }) {
  return (
    <svg class="glyph" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {children}
    </svg>
  );
}

const KINDS: Record<ActorNode['kind'], ComponentChildren> = {
  supervisor: (
    <>
      <rect x="5.5" y="1.5" width="5" height="4" rx="1" />
      <path d="M8 5.5v3M3.5 11V8.5h9V11" />
      <rect x="1.5" y="11" width="4" height="3.5" rx="1" />
      <rect x="10.5" y="11" width="4" height="3.5" rx="1" />
    </>
  ),
  component: (
    <>
      <rect x="4" y="4" width="8" height="8" rx="1.5" />
      <path d="M6.2 1.5v2.5M9.8 1.5v2.5M6.2 12v2.5M9.8 12v2.5M1.5 6.2h2.5M1.5 9.8h2.5M12 6.2h2.5M12 9.8h2.5" />
    </>
  ),
  worker: (
    <>
      <path d="M2 4.5c2-2.2 4-2.2 6 0s4 2.2 6 0M2 8.5c2-2.2 4-2.2 6 0s4 2.2 6 0M2 12.5c2-2.2 4-2.2 6 0s4 2.2 6 0" />
    </>
  ),
  process: (
    <>
      <rect x="1.5" y="2.5" width="13" height="11" rx="1.5" />
      <path d="M4.2 6l2.3 2-2.3 2M8.5 10.2h3" />
    </>
  ),
  actor: <circle cx="8" cy="8" r="4" />,
};

export const KindIcon = ({ kind }: { kind: ActorNode['kind'] }) => <Glyph>{KINDS[kind]}</Glyph>;

/** How an actor looks: its status, except that one which runs with less than it should have is shown as such. */
export type Look = Status | 'degraded';

/** A component that says so, or a supervisor whose child is down. */
const IMPAIRED = /^(degraded|backing_off|restarting)/;

export const lookOf = (node: { readonly status: Status; readonly state: string }): Look =>
  node.status === 'running' && IMPAIRED.test(node.state) ? 'degraded' : node.status;

/** Told apart by shape, not by colour alone. */
const LOOKS: Record<Look, ComponentChildren> = {
  running: <circle class="solid" cx="8" cy="8" r="4.5" />,
  degraded: (
    <>
      <circle cx="8" cy="8" r="4.7" />
      <path class="solid bare" d="M3.3 8a4.7 4.7 0 0 0 9.4 0Z" />
    </>
  ),
  starting: (
    <>
      <circle cx="8" cy="8" r="4.7" />
      <path class="solid bare" d="M8 8V3.3A4.7 4.7 0 0 1 12.7 8Z" />
    </>
  ),
  restarting: (
    <>
      <path d="M13 8a5 5 0 1 1-1.7-3.75" />
      <path class="solid" d="M13.4 2v3.6H9.8Z" />
    </>
  ),
  paused: <path class="thick" d="M5.7 4v8M10.3 4v8" />,
  stopping: (
    <>
      <rect x="3.5" y="3.5" width="9" height="9" rx="1" />
      <path class="solid bare" d="M3.5 8h9v4.5h-9Z" />
    </>
  ),
  stopped: <rect x="3.5" y="3.5" width="9" height="9" rx="1" />,
  failed: (
    <>
      <path d="M8 2 14.5 13.5H1.5Z" />
      <path d="M8 6.2v3.4M8 11.5v.2" />
    </>
  ),
};

export const StatusIcon = ({ look }: { look: Look }) => (
  <span class={`status-icon is-${look}`}>
    <Glyph size={13}>{LOOKS[look]}</Glyph>
  </span>
);

export const Caret = ({ open }: { open: boolean }) => (
  <svg class={open ? 'caret open' : 'caret'} width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
    <path d="M3.5 2 6.5 5 3.5 8" />
  </svg>
);

export const Logo = () => (
  <svg class="logo" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
    <rect x="6" y="6" width="20" height="20" rx="5" class="board" />
    <path
      class="pins"
      d="M11.5 2.5v3M16 2.5v3M20.5 2.5v3M11.5 26.5v3M16 26.5v3M20.5 26.5v3M2.5 11.5h3M2.5 16h3M2.5 20.5h3M26.5 11.5h3M26.5 16h3M26.5 20.5h3"
    />
    <path class="mark" d="M11 20.5v-9l5 5.5 5-5.5v9" />
  </svg>
);

const THEMES = {
  auto: (
    <>
      <circle cx="8" cy="8" r="5" />
      <path class="solid bare" d="M8 3a5 5 0 0 1 0 10Z" />
    </>
  ),
  light: (
    <>
      <circle cx="8" cy="8" r="3" />
      <path d="M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1" />
    </>
  ),
  dark: <path d="M13 9.7A5.5 5.5 0 1 1 6.3 3a4.5 4.5 0 0 0 6.7 6.7Z" />,
};

export const ThemeIcon = ({ theme }: { theme: keyof typeof THEMES }) => (
  <Glyph size={16}>{THEMES[theme]}</Glyph>
);
