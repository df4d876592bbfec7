import { useRef } from 'preact/hooks';
import { plural } from './format.ts';
import { filter, focused, link, loaded, rows, select, tabStop, toggle, totals } from './store.ts';
import { moveFor } from './tree-keys.ts';
import { Row, rowId } from './tree-row.tsx';

function focusRow(path: string): void {
  focused.value = path;
  const row = document.getElementById(rowId(path));
  row?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: 'nearest' });
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.key === '/') return;
  const move = moveFor(rows.value, tabStop.value ?? '', event.key);
  if (move.kind === 'none') return;
  event.preventDefault();
  if (move.kind === 'focus') focusRow(move.path);
  else if (move.kind === 'select') select(move.path);
  else toggle(move.path, move.kind === 'expand');
}

export const filterId = 'tree-filter';

function FilterBox() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div class="filter">
      <input
        ref={input}
        id={filterId}
        type="search"
        placeholder="Filter by path, kind or state"
        aria-label="Filter actors"
        aria-keyshortcuts="/"
        autocomplete="off"
        spellcheck={false}
        value={filter.value}
        onInput={(event) => {
          filter.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') filter.value = '';
          if (event.key === 'ArrowDown' && tabStop.value !== null) {
            event.preventDefault();
            focusRow(tabStop.value);
          }
        }}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
    </div>
  );
}

function Skeleton() {
  return (
    <div class="empty" role="status">
      <span class="pulse" aria-hidden="true" />
      {link.value === 'reconnecting' ? 'Reconnecting to the board…' : 'Waiting for the actor tree…'}
    </div>
  );
}

const Headings = () => (
  <div class="headings" aria-hidden="true">
    <span>Actor</span>
    <span>State</span>
    <span class="right restarts">Restarts</span>
    <span class="mailbox">Mailbox</span>
    <span class="right uptime">Uptime</span>
  </div>
);

/** The live actor tree: a WAI-ARIA tree with a roving tab stop. */
export function TreeView() {
  const shown = rows.value;
  return (
    <section class="panel tree-panel" aria-labelledby="tree-title">
      <header class="panel-head">
        <h2 id="tree-title">Actor tree</h2>
        <span class="muted count">{loaded.value ? plural(totals.value.actors, 'actor') : ''}</span>
        <FilterBox />
      </header>
      {!loaded.value && <Skeleton />}
      {loaded.value && shown.length === 0 && (
        <div class="empty" role="status">
          Nothing matches “{filter}”.
          <button
            type="button"
            class="quiet"
            onClick={() => {
              filter.value = '';
            }}
          >
            Clear the filter
          </button>
        </div>
      )}
      <div class={link.value === 'live' ? 'tree' : 'tree stale'} hidden={shown.length === 0}>
        <Headings />
        <div class="rows" role="tree" tabIndex={-1} aria-labelledby="tree-title" onKeyDown={onKeyDown}>
          {shown.map((row) => (
            <Row key={row.path} {...row} />
          ))}
        </div>
      </div>
    </section>
  );
}
