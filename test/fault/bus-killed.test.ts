import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeHost } from '../../src/runtime/host-node.ts';
import type { Bus } from '../../src/streams/bus/bus.ts';
import { openBus } from '../../src/streams/bus/open-bus.ts';
import { testFolder } from '../support/temporary-folder.ts';

const CHILD = new URL('../support/bus-child.ts', import.meta.url).pathname;
const WRITERS = 8;
const ROUNDS = 6;

type Store = 'file' | 'sqlite';
type Entry = { readonly writer: number; readonly number: number };

/** Runs the child until it has written so many lines, kills it, and gives the whole ones. */
async function runUntilKilled(folder: string, store: Store, starts: readonly number[], lines: number) {
  const child = spawn(process.execPath, [CHILD, folder, store, ...starts.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  let count = 0;
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      const text = chunk.toString();
      output += text;
      count += text.split('\n').length - 1;
      if (count >= lines) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the child ended by itself (${code})`)));
  });
  child.kill('SIGKILL');
  await once(child, 'close');
  return output.split('\n').slice(0, -1);
}

async function openEvents(folder: string, store: Store): Promise<Bus<{ events: { store: Store } }>> {
  const place = { host: nodeHost(), onFailed: () => {} };
  return openBus({ folder, topics: { events: { store } } }, place);
}

async function replayAll(bus: Bus<{ events: { store: Store } }>): Promise<readonly Entry[]> {
  const held: Entry[] = [];
  const count = bus.counters()['events']?.next ?? 0;
  await new Promise<void>((resolve, reject) => {
    if (count === 0) resolve();
    const subscription = bus.replay('events', 'earliest').subscribe(
      {
        next: ({ event }) => {
          held.push(event as Entry); // the child published it
          if (held.length < count) return;
          subscription.cancel();
          resolve();
        },
        error: reject,
        complete: () => reject(new Error('the replay ended')),
      },
      { request: Number.POSITIVE_INFINITY },
    );
  });
  return held;
}

describe.each(['file', 'sqlite'] as const)('a bus on %s whose process is killed again and again', (store) => {
  it('loses nothing that was acknowledged, holds nothing twice, and delivers all of it', async () => {
    const folder = testFolder();
    /** Next number of each writer: what was not acknowledged is published again, under the same id. */
    const next = new Array<number>(WRITERS).fill(0);
    const delivered = new Set<string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const line of await runUntilKilled(folder, store, next, 150 + 120 * round)) {
        const [what, writer = '', number = ''] = line.split(' ');
        if (what === 'ack') next[Number(writer)] = Number(number) + 1;
        else delivered.add(`${writer} ${number}`);
      }
    }
    const bus = await openEvents(folder, store);
    const held = await replayAll(bus);
    expect(next.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200);
    for (let writer = 0; writer < WRITERS; writer += 1) {
      const numbers = held.filter((entry) => entry.writer === writer).map((entry) => entry.number);
      // Each once and in order; the last may have been stored and not acknowledged.
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, number) => number));
      expect(numbers.length - (next[writer] ?? 0)).toBeOneOf([0, 1]);
    }
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (bus.counters()['events']?.consumers['child']?.lag === 0) resolve();
      };
      bus.consume('events', { consumer: 'child', maxInFlight: 64, onEnd: reject }, (event) => {
        const { writer, number } = event as Entry; // the child published it
        delivered.add(`${writer} ${number}`);
        setImmediate(check);
      });
      setTimeout(check, 200);
    });
    expect(delivered).toEqual(new Set(held.map(({ writer, number }) => `${writer} ${number}`)));
    await bus.close();
  });
});
