import type { LifecycleEvent } from '../../src/protocol/actor-node.ts';
import { clockTime, words } from './format.ts';
import { type LogEntry, log, select } from './store.ts';

/** Read with the word beside it; the shape carries what the colour says. */
const MARKS: Record<LifecycleEvent['type'], string> = {
  started: '▷',
  ready: '●',
  failed: '▲',
  backing_off: '◔',
  restarted: '↻',
  stopped: '□',
  escalated: '⇈',
  command: '›',
};

const tail = (path: string): readonly [string, string] => {
  const slash = path.lastIndexOf('/') + 1;
  return [path.slice(0, slash), path.slice(slash)];
};

function Entry({ entry }: { entry: LogEntry }) {
  const { type, path, reason, delay } = entry.event;
  const [above, name] = tail(path);
  return (
    <li class={`entry on-${type}`}>
      <time class="muted number" dateTime={entry.at}>
        {clockTime(entry.at)}
      </time>
      <span class="what">
        <span class="mark" aria-hidden="true">
          {MARKS[type]}
        </span>
        {words(type)}
        {delay !== null && <span class="delay"> {Math.round(delay)} ms</span>}
      </span>
      <button type="button" class="link where" title={path} onClick={() => select(path)}>
        <span class="muted above">{above}</span>
        {name}
      </button>
      {reason !== null && <span class="reason">{reason}</span>}
    </li>
  );
}

/** What happened, newest first; new lines are read out politely. */
export function EventLog() {
  return (
    <section class="panel log-panel" aria-labelledby="log-title">
      <header class="panel-head">
        <h2 id="log-title">Events</h2>
        {log.value.length > 0 && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              log.value = [];
            }}
          >
            Clear
          </button>
        )}
      </header>
      {log.value.length === 0 && <div class="empty">Nothing has happened since this page was opened.</div>}
      <div class="log" role="log" aria-live="polite" aria-relevant="additions" aria-labelledby="log-title">
        <ol>
          {log.value.map((entry) => (
            <Entry key={entry.id} entry={entry} />
          ))}
        </ol>
      </div>
    </section>
  );
}
