/**
 * Subscribers and one publisher in a process of their own. `argv`: JSON of Load. Prints {perSecond, p50, p99}.
 * Flooding, the publisher keeps `window` messages on their way; paced, it sends at an even rate and every delivery
 * is timed, publisher and subscribers sharing one clock.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientFrame, FrameCounter, openRaw } from './raw-websocket.ts';

interface Load {
  /** ws: URL of the server, key and all. */
  readonly url: string;
  /** `phoenix`: join a channel and broadcast in it; `plain`: whatever is sent reaches all others. */
  readonly protocol: 'phoenix' | 'plain';
  readonly subscribers: number;
  readonly seconds: number;
  /** Bytes of the frame that reaches each subscriber, about. */
  readonly payloadBytes: number;
  /** Messages on their way, when flooding. */
  readonly window: number;
  /** Deliveries per second, when paced; 0 floods. */
  readonly rate: number;
}

const load = JSON.parse(process.argv[2] ?? '{}') as Load; // written by the suite
const url = new URL(load.url);
const TOPIC = 'realtime:bench';
const padding = 'x'.repeat(Math.max(0, load.payloadBytes - 130));
const width = 9;

/** What is delivered; the baseline's publisher sends it as it is, ours sends what makes the gateway say it. */
function frame(n: number): Buffer {
  const payload = `{"type":"broadcast","event":"tick","payload":{"n":${100_000_000 + n},"pad":"${padding}"}}`;
  const [joinRef, ref] = load.protocol === 'phoenix' ? ['"1"', `"${n}"`] : ['null', 'null'];
  return clientFrame(`[${joinRef},${ref},"${TOPIC}","broadcast",${payload}]`);
}

async function open(): Promise<Socket> {
  const socket = await openRaw(url);
  if (load.protocol === 'plain') return socket;
  const joined = new Promise<void>((resolve, reject) => {
    socket.once('data', (chunk) => {
      if (chunk.includes('"status":"ok"')) resolve();
      else reject(new Error(`not joined: ${chunk.toString('latin1').slice(0, 300)}`));
    });
  });
  const config = { broadcast: { self: false, ack: false }, presence: { enabled: false } };
  socket.write(clientFrame(JSON.stringify(['1', '1', TOPIC, 'phx_join', { config }])));
  await joined;
  return socket;
}

const sentAt: number[] = [];
const waits: number[] = [];
let delivered = 0;
let published = 0;
let measuring = false;
/** Numbers are written with the same width, so that all frames are alike; what stands in front is cut off here. */
const numberOf = (text: string): number => Number(text.slice(-6));
const NUMBER = Buffer.from('"n":');

/** Times each frame whose number lies whole in the chunk; those cut in two are few and only counted. */
function time(chunk: Buffer): void {
  const now = performance.now();
  for (let at = chunk.indexOf(NUMBER); at !== -1; at = chunk.indexOf(NUMBER, at + NUMBER.byteLength)) {
    const text = chunk.toString('latin1', at + NUMBER.byteLength, at + NUMBER.byteLength + width);
    if (text.length < width) continue;
    const sent = sentAt[numberOf(text)];
    if (sent !== undefined) waits.push(now - sent);
  }
}

const publisher = await open();
const failures: Error[] = [];
let pump = (): void => {};
for (let index = 0; index < load.subscribers; index += 50) {
  const batch = Array.from({ length: Math.min(50, load.subscribers - index) }, open);
  for (const socket of await Promise.all(batch)) {
    const counter = new FrameCounter();
    socket.on('error', (error) => failures.push(error));
    socket.on('close', () => failures.push(new Error('a subscriber was closed')));
    socket.on('data', (chunk: Buffer) => {
      delivered += counter.count(chunk);
      if (measuring && load.rate > 0) time(chunk);
      pump();
    });
  }
}
publisher.on('close', () => failures.push(new Error('the publisher was closed')));
publisher.on('data', () => {});

function publish(): void {
  published += 1;
  const n = published % 1_000_000;
  sentAt[n] = performance.now();
  publisher.write(frame(n));
}

if (load.rate === 0) {
  pump = () => {
    const arrived = Math.floor(delivered / load.subscribers);
    if (published - arrived > load.window / 2) return;
    publisher.cork();
    while (published - arrived < load.window) publish();
    publisher.uncork();
  };
  pump();
} else {
  const started = performance.now();
  const every = (load.subscribers / load.rate) * 1_000;
  setInterval(() => {
    while (performance.now() - started >= published * every) publish();
  }, 1);
}

await sleep(1_000);
measuring = true;
const [from, at] = [delivered, performance.now()];
await sleep(load.seconds * 1_000);
const perSecond = ((delivered - from) * 1_000) / (performance.now() - at);
measuring = false;
if (failures.length > 0) throw failures[0];
if (delivered === from) throw new Error('nothing was delivered');
waits.sort((left, right) => left - right);
const quantile = (q: number): number => waits[Math.min(waits.length - 1, Math.floor(waits.length * q))] ?? 0;
const result = { perSecond, p50: quantile(0.5), p99: quantile(0.99), timed: waits.length };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
