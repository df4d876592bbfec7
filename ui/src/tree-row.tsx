import { useComputed, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { LifecycleEvent } from '../../src/protocol/actor-node.ts';
import { duration, plural, words } from './format.ts';
import { Caret, KindIcon, lookOf, StatusIcon } from './icons.tsx';
import {
  type Face,
  faceOf,
  isUp,
  mailboxOf,
  now,
  onFlash,
  select,
  selected,
  tabStop,
  toggle,
} from './store.ts';

export const rowId = (path: string): string => `row:${path}`;

/** Colour of a flash: what happened, or a plain change. */
const TONES: Partial<Record<LifecycleEvent['type'], string>> = {
  failed: 'var(--failed-wash)',
  escalated: 'var(--failed-wash)',
  backing_off: 'var(--restarting-wash)',
  ready: 'var(--running-wash)',
  restarted: 'var(--running-wash)',
};

const FLASH_MS = 1_100;

/** Makes the row flash. What an event said is not painted over by the plain change that follows from it. */
function flash(row: HTMLElement, type: LifecycleEvent['type'] | null): void {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  const tone = type === null ? undefined : TONES[type];
  const running = row.getAnimations();
  if (tone === undefined && running.some(({ id }) => id === 'event')) return;
  for (const animation of running) animation.cancel();
  row.animate([{ backgroundColor: tone ?? 'var(--flash)' }, {}], {
    id: tone === undefined ? 'change' : 'event',
    duration: FLASH_MS,
    easing: 'ease-out',
  });
}

/** Statuses that the statechart's own word refines; a paused actor's says what it would be doing. */
const REFINED: ReadonlySet<Face['status']> = new Set(['starting', 'running', 'restarting']);

/** The status, or the statechart's own word for it where that says more. */
export const stateText = (face: Pick<Face, 'status' | 'state'>): string =>
  face.state !== '' && REFINED.has(face.status) ? words(face.state) : face.status;

const label = (face: Face): string =>
  [
    face.name,
    face.kind,
    stateText(face) === face.status ? face.status : `${face.status}, ${stateText(face)}`,
    plural(face.restarts, 'restart'),
  ].join(', ');

/** Moves with every frame, so it is written to the DOM directly, without rendering anything. */
function Mailbox({ path }: { path: string }) {
  const cell = useRef<HTMLSpanElement>(null);
  const fill = useRef<HTMLSpanElement>(null);
  const depth = useComputed(() => {
    const { depth, capacity } = mailboxOf(path).value;
    return capacity === 0 ? '–' : String(depth);
  });
  useSignalEffect(() => {
    const { depth, capacity } = mailboxOf(path).value;
    const full = capacity === 0 ? 0 : Math.min(1, depth / capacity);
    cell.current?.classList.toggle('closed', capacity === 0);
    cell.current?.classList.toggle('high', full > 0.8);
    if (fill.current !== null) fill.current.style.scale = `${depth === 0 ? 0 : Math.max(0.06, full)} 1`;
  });
  return (
    <span ref={cell} class="cell mailbox">
      <span class="meter">
        <span ref={fill} class="fill" />
      </span>
      <span class="number">{depth}</span>
    </span>
  );
}

function Uptime({ path }: { path: string }) {
  const text = useComputed(() => {
    const face = faceOf(path).value;
    if (face === null || !isUp(face.status)) return '–';
    const since = Date.parse(face.since);
    return Number.isNaN(since) ? '–' : duration(now.value - since);
  });
  return <span class="cell uptime number">{text}</span>;
}

function Cells({ path, face }: { path: string; face: Face }) {
  return (
    <>
      <KindIcon kind={face.kind} />
      <span class="name">{face.name}</span>
      <span class={`cell state is-${lookOf(face)}`}>
        <StatusIcon look={lookOf(face)} />
        <span class="text">{stateText(face)}</span>
      </span>
      <span class={face.restarts > 0 ? 'cell restarts number' : 'cell restarts number muted'}>
        {face.restarts}
      </span>
      <Mailbox path={path} />
      <Uptime path={path} />
    </>
  );
}

export interface RowProps {
  readonly path: string;
  readonly level: number;
  readonly position: number;
  readonly size: number;
  readonly expanded: boolean | null;
}

/** One line of the tree. It renders anew only when what it shows changed. */
export function Row({ path, level, position, size, expanded }: RowProps) {
  const element = useRef<HTMLDivElement>(null);
  const isTabStop = useComputed(() => tabStop.value === path);
  const isSelected = useComputed(() => selected.value === path);
  const face = faceOf(path).value;
  useEffect(
    () =>
      onFlash(path, (type) => {
        if (element.current !== null) flash(element.current, type);
      }),
    [path],
  );
  if (face === null) return null;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled once, by the tree around the rows
    <div
      ref={element}
      id={rowId(path)}
      role="treeitem"
      class="row"
      aria-label={label(face)}
      aria-level={level}
      aria-posinset={position}
      aria-setsize={size}
      aria-expanded={expanded ?? undefined}
      aria-selected={isSelected.value}
      tabIndex={isTabStop.value ? 0 : -1}
      style={{ '--level': level - 1 }}
      onClick={() => select(path)}
      onDblClick={() => expanded !== null && toggle(path, !expanded)}
    >
      <span
        class="twisty"
        aria-hidden="true"
        onClick={(event) => {
          event.stopPropagation();
          if (expanded !== null) toggle(path, !expanded);
        }}
      >
        {expanded !== null && <Caret open={expanded} />}
      </span>
      <Cells path={path} face={face} />
    </div>
  );
}
