import { earlierStatus, type Status } from './store.ts';

/** Where each status stands in the picture: column and row. */
const PLACES: Record<Status, readonly [number, number]> = {
  starting: [0, 0],
  running: [1, 0],
  stopping: [2, 0],
  stopped: [3, 0],
  restarting: [0, 1],
  failed: [1, 1],
  paused: [2, 1],
};

const EDGES: readonly (readonly [Status, Status])[] = [
  ['starting', 'running'],
  ['running', 'stopping'],
  ['stopping', 'stopped'],
  ['running', 'failed'],
  ['failed', 'restarting'],
  ['restarting', 'starting'],
  ['running', 'paused'],
];

/** The one transition that goes both ways, drawn as one line with two heads. */
const bothWays = (from: Status, to: Status): boolean => from === 'running' && to === 'paused';

const WIDTH = 88;
const HEIGHT = 24;
const STEP_X = 116;
const STEP_Y = 50;
const left = (status: Status): number => 4 + PLACES[status][0] * STEP_X;
const top = (status: Status): number => 4 + PLACES[status][1] * STEP_Y;

/** A line from border to border, a little short where its head will be. */
function line(from: Status, to: Status): string {
  const [fromColumn, fromRow] = PLACES[from];
  const [toColumn, toRow] = PLACES[to];
  if (fromRow === toRow) {
    const y = top(from) + HEIGHT / 2;
    return fromColumn < toColumn
      ? `M${left(from) + WIDTH} ${y}H${left(to) - 3}`
      : `M${left(from)} ${y}H${left(to) + WIDTH + 3}`;
  }
  if (fromColumn === toColumn) {
    const x = left(from) + WIDTH / 2;
    return fromRow < toRow
      ? `M${x} ${top(from) + HEIGHT}V${top(to) - 3}`
      : `M${x} ${top(from)}V${top(to) + HEIGHT + 3}`;
  }
  return `M${left(from) + WIDTH - 6} ${top(from) + HEIGHT + 2}L${left(to) + 8} ${top(to) - 3}`;
}

/** The lifecycle as a small statechart with the current state lit and the last transition drawn stronger. */
export function StateStrip({ path, status }: { path: string; status: Status }) {
  const before = earlierStatus(path);
  return (
    <svg class="strip" viewBox="0 0 444 82" role="img" aria-label={`Lifecycle: now ${status}`}>
      <defs>
        <marker
          id="tip"
          viewBox="0 0 6 6"
          refX="5"
          refY="3"
          markerWidth="5"
          markerHeight="5"
          orient="auto-start-reverse"
        >
          <path d="M0 0 6 3 0 6Z" />
        </marker>
      </defs>
      {EDGES.map(([from, to]) => {
        const back = bothWays(from, to) && before === to && status === from;
        return (
          <path
            key={`${from}>${to}`}
            class={back || (before === from && status === to) ? 'edge taken' : 'edge'}
            d={line(from, to)}
            marker-start={bothWays(from, to) ? 'url(#tip)' : undefined}
            marker-end="url(#tip)"
          />
        );
      })}
      {(Object.keys(PLACES) as Status[]).map((name) => (
        <g key={name} class={name === status ? `state lit is-${name}` : 'state'}>
          <rect x={left(name)} y={top(name)} width={WIDTH} height={HEIGHT} rx={HEIGHT / 2} />
          <text x={left(name) + WIDTH / 2} y={top(name) + HEIGHT / 2 + 4}>
            {name}
          </text>
        </g>
      ))}
    </svg>
  );
}
