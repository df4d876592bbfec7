/**
 * Load over many projects from its own process. `argv`: JSON of {url, seconds, targets: [{path, headers, weight,
 * body?}], connections, warmSeconds?}. Each connection draws its next target by weight and waits for the reply. Prints requests per
 * second, and per target the number of replies and their p50 and p99 in milliseconds.
 */
import { Agent, request } from 'node:http';

export interface TenantTarget {
  readonly name: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  /** A POST with this body; a GET without. */
  readonly body?: string;
}

export interface TenantsLoad {
  readonly url: string;
  readonly seconds: number;
  /** So long it runs before what is measured. */
  readonly warmSeconds?: number;
  readonly connections: number;
  readonly targets: readonly TenantTarget[];
}

export interface TenantsResult {
  readonly perSecond: number;
  readonly targets: Readonly<
    Record<string, { readonly count: number; readonly p50: number; readonly p99: number }>
  >;
}

const load = JSON.parse(process.argv[2] ?? '{}') as TenantsLoad;
const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
const total = load.targets.reduce((sum, { weight }) => sum + weight, 0);
const times = new Map<string, number[]>(load.targets.map(({ name }) => [name, []]));

function draw(): TenantTarget {
  let left = Math.random() * total;
  for (const target of load.targets) {
    left -= target.weight;
    if (left <= 0) return target;
  }
  throw new Error('no target');
}

const send = (target: TenantTarget): Promise<void> =>
  new Promise((resolve, reject) => {
    const { body } = target;
    const headers = {
      ...target.headers,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(`${load.url}${target.path}`, { agent, method, headers }, (reply) => {
      const isGood = reply.statusCode !== undefined && reply.statusCode >= 200 && reply.statusCode <= 299;
      let text = '';
      if (isGood) reply.resume();
      else
        reply.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
      reply.once('end', () =>
        isGood ? resolve() : reject(new Error(`${target.name} answered ${reply.statusCode}: ${text}`)),
      );
    });
    sent.once('error', reject);
    sent.end(body);
  });

const from = performance.now() + (load.warmSeconds ?? 0) * 1_000;
const until = from + load.seconds * 1_000;
async function lane(): Promise<void> {
  while (performance.now() < until) {
    const target = draw();
    const began = performance.now();
    await send(target);
    if (began >= from) times.get(target.name)?.push(performance.now() - began);
  }
}

await Promise.all(Array.from({ length: load.connections }, lane));
agent.destroy();
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
let count = 0;
const targets: Record<string, { count: number; p50: number; p99: number }> = {};
for (const [name, taken] of times) {
  count += taken.length;
  const sorted = taken.sort((one, other) => one - other);
  targets[name] = { count: sorted.length, p50: at(sorted, 0.5), p99: at(sorted, 0.99) };
}
process.stdout.write(
  `${JSON.stringify({ perSecond: count / load.seconds, targets } satisfies TenantsResult)}\n`,
);
