/** Load from its own process: requests per second of one operation. `argv`: JSON of {url, operation, seconds, connections, headers, rows}. */
import autocannon from 'autocannon';

interface Load {
  readonly url: string;
  readonly operation: 'get' | 'list' | 'insert' | 'embed';
  /** Path with `{id}` where a random id belongs. */
  readonly path: string;
  readonly seconds: number;
  readonly connections: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly rows: number;
}

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
const insert = load.operation === 'insert';
const body = JSON.stringify({ name: 'an item', value: 42, note: 'a note of some length, as notes are' });
const result = await autocannon({
  url: load.url,
  connections: load.connections,
  duration: load.seconds,
  headers: { ...load.headers, ...(insert ? { 'content-type': 'application/json' } : {}) },
  requests: [
    {
      method: insert ? 'POST' : 'GET',
      path: load.path,
      ...(insert ? { body } : {}),
      setupRequest: (request) =>
        load.path.includes('{id}')
          ? { ...request, path: load.path.replace('{id}', String(1 + Math.floor(Math.random() * load.rows))) }
          : request,
    },
  ],
});
if (result.errors > 0 || result.non2xx > 0 || result.timeouts > 0) {
  process.stderr.write(
    `errors ${result.errors}, timeouts ${result.timeouts}, replies other than 2xx ${result.non2xx}\n`,
  );
  process.exit(1);
}
process.stdout.write(
  `${JSON.stringify({ perSecond: result.requests.total / result.duration, p99: result.latency.p99 })}\n`,
);
