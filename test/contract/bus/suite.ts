import { describe, expect, it, onTestFinished } from 'vitest';
import type { Bus, DeadLetter, TopicOptions } from '../../../src/streams/bus/bus.ts';
import type { Delivery } from '../../../src/streams/bus/delivery.ts';
import { type BusOptions, openBus } from '../../../src/streams/bus/open-bus.ts';
import { Inbox, until } from '../../support/bus-inbox.ts';
import { clockedHost } from '../../support/log-host.ts';
import { testFolder } from '../../support/temporary-folder.ts';

type Store = 'file' | 'sqlite' | 'memory';
type Bounds = Pick<TopicOptions, 'lanes' | 'retention' | 'overflow'>;
type Note = { readonly text: string };

const asNote = (value: unknown): Note => {
  if (typeof value !== 'object' || value === null || !('text' in value)) throw new Error('a note has a text');
  return { text: String(value.text) };
};

/** What a topic does, whatever it stands on. */
export function busContract(store: Store): void {
  const options = { store, schema: asNote } as const satisfies TopicOptions<Note>;
  type Topics = { readonly notes: typeof options };

  const place = (topic: Bounds = {}) => {
    const folder = testFolder();
    const host = clockedHost();
    const all: BusOptions<Topics> = { folder, topics: { notes: { ...options, ...topic } } };
    const open = async (): Promise<Bus<Topics>> => {
      const bus = await openBus(all, { host, onFailed: () => {} });
      onTestFinished(() => bus.close());
      return bus;
    };
    return { host, open };
  };
  const opened = (topic: Bounds = {}): Promise<Bus<Topics>> => place(topic).open();
  const publish = async (bus: Bus<Topics>, ...texts: readonly string[]): Promise<void> => {
    for (const text of texts) await bus.publish('notes', { text });
  };
  const textOf = (delivery: Delivery<Note>): string => delivery.event.text;

  describe(`publishing to a topic on ${store}`, () => {
    it('gives each event its offset', async () => {
      const bus = await opened();
      const published = await Promise.all(['a', 'b', 'c'].map((text) => bus.publish('notes', { text })));
      expect(published.map(({ offset }) => offset)).toEqual([0, 1, 2]);
    });

    it('refuses at the publisher what the schema refuses, and what it cannot know', async () => {
      const bus = await opened();
      const wrong = { words: 'x' } as unknown as Note;
      await expect(bus.publish('notes', wrong)).rejects.toMatchObject({
        code: 'MAG_EVENT_INVALID',
        message: expect.stringContaining('a note has a text'),
      });
      const note = { text: 'x' };
      for (const refused of [{ lane: 'express' }, { id: '' }, { id: 'x'.repeat(1_000) }, { deadline: 1 }])
        await expect(bus.publish('notes', note, refused)).rejects.toMatchObject({
          code: 'MAG_EVENT_INVALID',
        });
      await expect(bus.publish('letters' as 'notes', note)).rejects.toMatchObject({
        code: 'MAG_TOPIC_UNKNOWN',
      });
      expect(bus.counters()['notes']).toMatchObject({ published: 0, refused: 5, next: 0 });
    });

    it('publishes an id once, also while the first is under way', async () => {
      const bus = await opened();
      const twice = await Promise.all([1, 2].map(() => bus.publish('notes', { text: 'x' }, { id: 'one' })));
      expect(twice).toEqual([
        { offset: 0, duplicate: false },
        { offset: 0, duplicate: true },
      ]);
      expect(await bus.publish('notes', { text: 'y' }, { id: 'one' })).toEqual({
        offset: 0,
        duplicate: true,
      });
      expect(await bus.publish('notes', { text: 'y' }, { id: 'two' })).toEqual({
        offset: 1,
        duplicate: false,
      });
    });
  });

  describe(`consuming a topic on ${store}`, () => {
    it('delivers in order, one at a time, each when the one before is acked', async () => {
      const bus = await opened();
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'c' }));
      await publish(bus, 'a', 'b', 'c');
      expect(textOf(await inbox.next())).toBe('a');
      expect(inbox.waiting).toBe(0);
      inbox.last.ack();
      expect(textOf(await inbox.next())).toBe('b');
      expect(inbox.last.nak({ delay: 0 })).toBe(true);
      expect([textOf(await inbox.next()), inbox.last.attempt]).toEqual(['b', 2]);
      expect([inbox.last.ack(), inbox.last.ack(), inbox.last.nak()]).toEqual([true, false, false]);
      expect(textOf(await inbox.next())).toBe('c');
    });

    it('delivers no more than is asked for, nor than may be in flight', async () => {
      const bus = await opened();
      await publish(bus, ...'abcdefgh');
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'c', maxInFlight: 5 }), 3);
      await until(() => inbox.waiting === 3);
      inbox.request(100);
      await until(() => inbox.waiting === 5);
      await publish(bus, 'i');
      expect(inbox.waiting).toBe(5);
      (await inbox.next()).ack();
      await until(() => inbox.waiting === 5);
      expect(bus.counters()['notes']?.consumers['c']).toMatchObject({
        delivered: 6,
        acked: 1,
        pending: 5,
        lag: 8,
      });
    });

    it('delivers again what is not acked in time, and takes a late ack', async () => {
      const bus = await opened();
      await publish(bus, 'a');
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'c', ackWait: 20 }));
      const first = await inbox.next();
      const second = await inbox.next();
      expect([second.offset, second.attempt]).toEqual([0, 2]);
      expect(first.nak()).toBe(false);
      expect(first.ack()).toBe(true);
      expect(second.ack()).toBe(false);
      expect(bus.counters()['notes']?.consumers['c']).toMatchObject({ redelivered: 1, acked: 1, pending: 0 });
    });

    it('leaves a delivery that is extended to its consumer', async () => {
      const bus = await opened();
      await publish(bus, 'a');
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'c', ackWait: 300 }));
      const delivery = await inbox.next();
      for (let n = 0; n < 5; n += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect(delivery.extend()).toBe(true);
      }
      expect([delivery.ack(), delivery.extend()]).toEqual([true, false]);
    });

    it('makes a dead letter of what is refused too often, and goes on', async () => {
      const bus = await opened();
      await bus.publish('notes', { text: 'poison' }, { id: 'p' });
      await publish(bus, 'good');
      const good: string[] = [];
      bus.consume('notes', { consumer: 'c', maxAttempts: 2, ackWait: 1_000 }, (note) => {
        if (note.text === 'poison') throw new Error('I cannot read this');
        good.push(note.text);
      });
      await until(() => good.length === 1);
      const letters = new Inbox(bus.subscribe('notes.dead', { consumer: 'undertaker' }));
      const letter: DeadLetter<Note> = (await letters.next()).event;
      expect(letter).toMatchObject({
        topic: 'notes',
        consumer: 'c',
        offset: 0,
        id: 'p',
        attempts: 2,
        reason: 'I cannot read this',
        event: { text: 'poison' },
      });
      expect(bus.counters()['notes']?.consumers['c']).toMatchObject({
        dead: 1,
        acked: 1,
        pending: 0,
        lag: 0,
      });
    });

    it('never delivers what is past its deadline', async () => {
      const { host, open } = place();
      const bus = await open();
      await bus.publish('notes', { text: 'brief' }, { deadline: host.clock + 10 });
      await publish(bus, 'lasting');
      host.clock += 10;
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'c' }));
      expect(textOf(await inbox.next())).toBe('lasting');
      expect(bus.counters()['notes']?.consumers['c']).toMatchObject({ expired: 1, delivered: 1 });
    });

    it('has one subscriber for each consumer, and each consumer gets everything', async () => {
      const bus = await opened();
      await publish(bus, 'a');
      const first = new Inbox(bus.subscribe('notes', { consumer: 'one' }));
      await first.next();
      const busy = new Inbox(bus.subscribe('notes', { consumer: 'one' }));
      await expect(busy.next()).rejects.toMatchObject({ code: 'MAG_CONSUMER_BUSY' });
      expect(textOf(await new Inbox(bus.subscribe('notes', { consumer: 'two' })).next())).toBe('a');
      first.cancel();
      expect(textOf(await new Inbox(bus.subscribe('notes', { consumer: 'one' })).next())).toBe('a');
    });

    it('serves a higher lane first', async () => {
      const bus = await opened({ lanes: ['high', 'low'] });
      await publish(bus, 'l1', 'l2');
      for (const text of ['h1', 'h2']) await bus.publish('notes', { text }, { lane: 'high' });
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'c' }));
      const seen: string[] = [];
      for (let n = 0; n < 4; n += 1) {
        seen.push(textOf(await inbox.next()));
        inbox.last.ack();
      }
      expect(seen).toEqual(['h1', 'h2', 'l1', 'l2']);
    });
  });

  describe(`replaying a topic on ${store}`, () => {
    it('begins at the first, the next, an offset or a time, and goes on with what comes', async () => {
      const { host, open } = place();
      const bus = await open();
      for (const text of ['a', 'b', 'c']) {
        host.clock += 100;
        await bus.publish('notes', { text });
      }
      const from = [0, 1, 'earliest', 'latest', { time: host.clock - 100 }] as const;
      const inboxes = from.map((start) => new Inbox(bus.replay('notes', start)));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await publish(bus, 'd');
      const texts = await Promise.all(
        inboxes.map(async (inbox) => {
          let text = '';
          while (!text.endsWith('d')) text += (await inbox.next()).event.text;
          return text;
        }),
      );
      expect(texts).toEqual(['abcd', 'bcd', 'abcd', 'd', 'bcd']);
      await expect(new Inbox(bus.replay('notes', 99)).next()).rejects.toMatchObject({
        code: 'MAG_OFFSET_NOT_HELD',
      });
    });

    it('moves a consumer, or forgets it, where nobody is subscribed', async () => {
      const bus = await opened();
      await publish(bus, 'a', 'b');
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'c', from: 'latest' }));
      await until(() => bus.counters()['notes']?.consumers['c'] !== undefined);
      await expect(bus.seek('notes', 'c', 'earliest')).rejects.toMatchObject({ code: 'MAG_CONSUMER_BUSY' });
      inbox.cancel();
      await bus.seek('notes', 'c', 1);
      expect(textOf(await new Inbox(bus.subscribe('notes', { consumer: 'c' })).next())).toBe('b');
      await expect(bus.forget('notes', 'c')).rejects.toMatchObject({ code: 'MAG_CONSUMER_BUSY' });
    });

    it('has a consumer for whoever comes next as soon as its subscriber cancels, also one that had only begun', async () => {
      const bus = await opened();
      await publish(bus, 'a', 'b');
      const subscribed = () => new Inbox(bus.subscribe('notes', { consumer: 'c', from: 'latest' }));
      subscribed().cancel();
      await bus.seek('notes', 'c', 1);
      subscribed().cancel();
      const next = subscribed();
      expect(textOf(await next.next())).toBe('b');
      next.cancel();
      new Inbox(bus.subscribe('notes', { consumer: 'd' })).cancel();
      await bus.forget('notes', 'd');
      expect(bus.counters()['notes']?.consumers['d']).toBeUndefined();
    });

    it('keeps no more than it should, but nothing less than a consumer needs', async () => {
      const topic = { retention: { bytes: 300_000 } };
      const bus = await opened(topic);
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'slow' }), 1);
      const large = 'x'.repeat(10_000);
      const outcomes: PromiseSettledResult<unknown>[] = [];
      for (let n = 0; n < 60; n += 1)
        outcomes.push(...(await Promise.allSettled([bus.publish('notes', { text: large })])));
      expect(outcomes.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'MAG_TOPIC_FULL' } });
      expect(bus.counters()['notes']?.first).toBe(0);
      inbox.cancel();
      await bus.forget('notes', 'slow');
      await publish(bus, large);
      await until(() => (bus.counters()['notes']?.first ?? 0) > 0);
      expect(bus.counters()['notes']?.bytes).toBeLessThan(450_000);
    });

    it('drops the oldest where it says so, and counts them as missed', async () => {
      const bus = await opened({ retention: { bytes: 300_000 }, overflow: 'drop_oldest' });
      const inbox = new Inbox(bus.subscribe('notes', { consumer: 'slow' }), 1);
      await until(() => bus.counters()['notes']?.consumers['slow'] !== undefined);
      for (let n = 0; n < 90; n += 1) await publish(bus, `${n}`.padEnd(10_000));
      await until(() => (bus.counters()['notes']?.first ?? 0) > 0);
      inbox.request(1_000);
      (await inbox.next()).ack();
      await until(() => {
        if (inbox.waiting > 0) void inbox.next().then((delivery) => delivery.ack());
        return bus.counters()['notes']?.consumers['slow']?.lag === 0;
      });
      const { acked = 0, missed = 0 } = bus.counters()['notes']?.consumers['slow'] ?? {};
      expect(acked + missed).toBe(90);
      expect(missed).toBeGreaterThan(0);
    });
  });

  // What is in memory is gone with it: no tests, rather than some that are skipped.
  if (store !== 'memory')
    describe(`opening a topic on ${store} again`, () => {
      it('knows its ids, and where its consumers stand', async () => {
        const { open } = place({ lanes: ['high', 'low'] });
        const first = await open();
        await first.publish('notes', { text: 'a' }, { id: 'one' });
        await first.publish('notes', { text: 'h' }, { lane: 'high' });
        await publish(first, 'b', 'c');
        const inbox = new Inbox(first.subscribe('notes', { consumer: 'c', maxInFlight: 2 }));
        (await inbox.next()).ack();
        (await inbox.next()).ack();
        expect([textOf(await inbox.next()), inbox.last.attempt]).toEqual(['b', 1]);
        await first.close();
        const second = await open();
        expect(await second.publish('notes', { text: 'a' }, { id: 'one' })).toEqual({
          offset: 0,
          duplicate: true,
        });
        const again = new Inbox(second.subscribe('notes', { consumer: 'c', maxInFlight: 2 }));
        expect([textOf(await again.next()), again.last.attempt]).toEqual(['b', 2]);
        expect([textOf(await again.next()), again.last.attempt > 0]).toEqual(['c', true]);
      });
    });
}
