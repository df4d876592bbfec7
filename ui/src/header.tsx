import type { BoardStatus } from '../../src/protocol/board-status.ts';
import { count } from './format.ts';
import { Logo, ThemeIcon } from './icons.tsx';
import { view } from './route.ts';
import { signOut } from './session.ts';
import { board, type Link, link, loaded, totals } from './store.ts';
import { nextTheme, theme } from './theme.ts';

const LINKS: Record<Link, string> = { connecting: 'connecting', live: 'live', reconnecting: 'reconnecting' };

function Figure({ value, name, tone }: { value: string; name: string; tone?: string }) {
  return (
    <span class={tone === undefined ? 'figure' : `figure ${tone}`}>
      <span class="number">{value}</span> {name}
    </span>
  );
}

function Figures() {
  if (!loaded.value) return null;
  const { actors, restarts, unsettled } = totals.value;
  return (
    <div class="figures">
      <Figure value={count(actors)} name={actors === 1 ? 'actor' : 'actors'} />
      <Figure value={count(restarts)} name={restarts === 1 ? 'restart' : 'restarts'} />
      {unsettled > 0 && <Figure value={count(unsettled)} name="unsettled" tone="warn" />}
    </div>
  );
}

function Tab({ to, name }: { to: 'actors' | 'projects'; name: string }) {
  return (
    <a href={`#/${to}`} aria-current={view.value === to ? 'page' : undefined}>
      {name}
    </a>
  );
}

/** What keeps the board from being ready, one component a line. */
const ailing = (status: BoardStatus): string =>
  (status.components ?? [])
    .filter((component) => component.status !== 'healthy')
    .map(({ name, status: own, detail }) => `${name}: ${detail ?? own}`)
    .join('\n');

/** Who we are looking at, and whether we still see it. */
export function Header() {
  const status = link.value === 'live' ? board.value : null;
  return (
    <header class="top">
      <div class="brand">
        <Logo />
        <h1>
          MagMoBo <span class="muted host">{location.host}</span>
        </h1>
      </div>
      <nav aria-label="Views">
        <Tab to="actors" name="Actors" />
        <Tab to="projects" name="Projects" />
      </nav>
      <Figures />
      <div class="right-side">
        {status !== null && (
          <span class={`badge board-${status.status}`} title={ailing(status)}>
            {status.status}
          </span>
        )}
        <span class={`link-state ${link.value}`} role="status">
          <span class="dot" aria-hidden="true" /> {LINKS[link.value]}
        </span>
        <button
          type="button"
          class="icon"
          aria-label={`Theme: ${theme.value}`}
          title={`Theme: ${theme.value}`}
          onClick={nextTheme}
        >
          <ThemeIcon theme={theme.value} />
        </button>
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </header>
  );
}
