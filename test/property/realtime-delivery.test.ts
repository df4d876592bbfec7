import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visible } from '../../src/actors/psu/access.ts';
import { Channel } from '../../src/actors/realtime/channel.ts';
import type { Connection } from '../../src/actors/realtime/connection.ts';
import { newCounters } from '../../src/actors/realtime/counters.ts';
import { Flusher } from '../../src/actors/realtime/outbox.ts';
import { Presence } from '../../src/actors/realtime/presence.ts';
import { Project } from '../../src/actors/realtime/project.ts';
import { parseJoin } from '../../src/protocol/realtime-config.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { memoryPorts, projectHandle } from '../support/edge-ports.ts';
import { MemoryFeed } from '../support/memory-feed.ts';

/** What happens to a feed and to a consumer while changes flow. */
type Step =
  | { readonly do: 'append'; readonly count: number }
  /** The log can be read before it is told live. */
  | { readonly do: 'late'; readonly late: boolean }
  /** Live changes are lost with the feed's worker, until it says that it was interrupted. */
  | { readonly do: 'crash'; readonly lost: number; readonly failingReads: number }
  | { readonly do: 'grant'; readonly credit: number }
  | { readonly do: 'trim'; readonly count: number }
  | { readonly do: 'turns'; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 30 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('late' as const), late: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('crash' as const), lost: fc.nat(20), failingReads: fc.nat(2) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('grant' as const), credit: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), count: fc.nat(10) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
);

const turns = async (count: number): Promise<void> => {
  for (let at = 0; at < count; at += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Waits cost a turn, not time. */
const impatient: Host = {
  ...nodeHost(),
  setTimer: (_delay, callback) => ({ id: setImmediate(callback) }),
  clearTimer: ({ id }) => clearImmediate(id as NodeJS.Immediate),
};

interface Subscriber {
  readonly channel: Channel;
  /** Offsets of the changes it was sent. */
  readonly got: number[];
  /** Whether it was told that continuity was lost. */
  told(): boolean;
}

function newProject(feed: MemoryFeed): {
  project: Project;
  subscribe(magmobo?: object): Promise<Subscriber>;
} {
  const ports = memoryPorts({ projects: [projectHandle('p')], feed, host: impatient });
  const counters = newCounters();
  const flusher = new Flusher(impatient, counters);
  const context = {
    ports,
    counters,
    flusher,
    presence: new Presence(ports),
    see: visible,
    identify: () => ({ role: 'service_role', claims: {} }) as const,
  };
  const project = new Project(context, projectHandle('p'), () => {});
  const subscribe = async (magmobo?: object): Promise<Subscriber> => {
    const got: number[] = [];
    let told = false;
    const push = (frame: Buffer): void => {
      const id = /"record":\{"id":(\d+)\}/.exec(frame.toString())?.[1];
      got.push(Number(id));
    };
    const send = ({ payload }: { payload: { status?: string } }): void => {
      if (payload.status === 'error') told = true;
    };
    const outbox = { push, pending: 0 };
    // Only what a hub touches of a connection.
    const connection = {
      vsn: '2.0.0',
      project,
      outbox,
      send,
      removeChannel: () => {},
    } as unknown as Connection;
    const config = parseJoin({ config: { postgres_changes: [{ event: '*', table: 't' }], magmobo } });
    const channel = new Channel(connection, 'realtime:t', '1', config, { role: 'service_role', claims: {} });
    await project.changes.retain();
    project.changes.subscribe(channel, project.changes.position());
    return { channel, got, told: () => told };
  };
  return { project, subscribe };
}

function append(feed: MemoryFeed, count: number): void {
  const { offset } = feed.head;
  const drafts = Array.from({ length: count }, (_, at) => ({
    type: 'INSERT' as const,
    table: 't',
    record: { id: offset + at + 1 },
  }));
  feed.append(...drafts);
}

async function act(feed: MemoryFeed, project: Project, credited: Channel, next: Step): Promise<void> {
  if (next.do === 'append') append(feed, next.count);
  else if (next.do === 'late') {
    feed.late = next.late;
    if (!next.late) feed.release();
  } else if (next.do === 'crash') {
    feed.deaf = true;
    if (next.lost > 0) append(feed, next.lost);
    feed.deaf = false;
    feed.failingReads = next.failingReads;
    feed.interrupt();
  } else if (next.do === 'grant') project.changes.grant(credited, next.credit);
  else if (next.do === 'trim') feed.trim(Math.min(next.count, feed.head.offset - feed.trimmed));
  else await turns(next.count);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);

describe('delivery of changes', () => {
  it('gives every subscriber each change once and in order, or tells it that continuity was lost', async () => {
    const scenario = fc.record({
      before: fc.nat(20),
      resume: fc.nat(20),
      credit: fc.nat(10),
      steps: fc.array(step, { maxLength: 25 }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ before, resume, credit, steps }) => {
        const feed = new MemoryFeed();
        if (before > 0) append(feed, before);
        const start = Math.min(resume, before);
        const { project, subscribe } = newProject(feed);
        const plain = await subscribe();
        const resumed = await subscribe({ resume: { epoch: feed.epoch, offset: start } });
        const credited = await subscribe({ credit, overflow: 'park' });
        for (const next of steps) await act(feed, project, credited.channel, next);
        feed.late = false;
        feed.release();
        const { offset: last } = feed.head;
        project.changes.grant(credited.channel, 10_000);
        const settled = (subscriber: Subscriber): boolean =>
          subscriber.told() || subscriber.got.at(-1) === last;
        const all = [plain, resumed, credited];
        for (let tries = 0; tries < 400 && !all.every(settled); tries += 1) await turns(1);
        const trimmed = steps.some((taken) => taken.do === 'trim' && taken.count > 0);
        if (!trimmed) expect(all.some((subscriber) => subscriber.told())).toBe(false);
        for (const [subscriber, from] of [
          [plain, before],
          [resumed, start],
          [credited, before],
        ] as const) {
          const { got } = subscriber;
          if (!subscriber.told()) expect(got).toEqual(range(from + 1, last));
          // With positions nothing comes after a loss; without, only later changes, each once.
          else if (subscriber === plain) expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
          else expect(got).toEqual(range(from + 1, from + got.length));
          project.drop(subscriber.channel);
        }
        expect([project.changes.groups, feed.followers]).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    );
  });
});
