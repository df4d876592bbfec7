import { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { toActor } from '../../src/streams/flow-actor.ts';
import { fromReadable, pipeTo, toReadable } from '../../src/streams/flow-node.ts';
import { map, tap } from '../../src/streams/flow-operators.ts';
import { buffer, fromArray, fromPush } from '../../src/streams/flow-sources.ts';
import { FlowProbe, quiet, until } from '../support/flow-probe.ts';
import { cancelTold, counting, failing } from '../support/flow-subjects.ts';

/** A stream that takes one chunk a turn. */
function slowWritable(highWaterMark: number) {
  const written: unknown[] = [];
  const writable = new Writable({
    objectMode: true,
    highWaterMark,
    write: (chunk, _encoding, done) => {
      written.push(chunk);
      void turn().then(() => done());
    },
  });
  return { writable, written };
}

describe('a Node stream', () => {
  it('slows the flow that is written into it', async () => {
    const { writable, written } = slowWritable(4);
    let ahead = 0;
    let emitted = 0;
    await pipeTo(
      counting(200).pipe(
        tap(() => {
          emitted += 1;
          ahead = Math.max(ahead, emitted - written.length);
        }),
      ),
      writable,
    );
    expect(written).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(ahead).toBeLessThanOrEqual(6);
    expect(writable.writableFinished).toBe(true);
  });

  it('that fails cancels the flow, and says why', async () => {
    let cancelled = 0;
    const writable = new Writable({
      objectMode: true,
      write: (_chunk, _encoding, done) => done(new Error('disk full')),
    });
    const piping = pipeTo(
      cancelTold(() => {
        cancelled += 1;
      }),
      writable,
    );
    await expect(piping).rejects.toThrow('disk full');
    expect(cancelled).toBe(1);
  });

  it('that is destroyed cancels the flow, whichever side of it the flow is on', async () => {
    let cancelled = 0;
    const told = () =>
      cancelTold(() => {
        cancelled += 1;
      });
    const { writable } = slowWritable(1);
    const piping = pipeTo(told(), writable);
    await quiet();
    writable.destroy();
    await expect(piping).rejects.toMatchObject({ code: 'MAG_LINK_CLOSED' });
    const readable = toReadable(told());
    for await (const item of readable) if (item === 3) break;
    expect(readable.destroyed).toBe(true);
    expect(cancelled).toBe(2);
  });

  it('is destroyed by the flow’s error, on either side', async () => {
    const { writable } = slowWritable(8);
    await expect(pipeTo(failing(3, new Error('gone')), writable)).rejects.toThrow('gone');
    expect(writable.destroyed).toBe(true);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const item of toReadable(failing(3, new Error('gone')))) seen.push(item);
    })();
    await expect(reading).rejects.toThrow('gone');
  });

  it('is destroyed by a cancel or an abort', async () => {
    const readable = Readable.from(['a', 'b', 'c']);
    const probe = FlowProbe.on(fromReadable(readable));
    probe.request(1);
    await until(() => probe.items.length === 1);
    probe.cancel();
    expect(readable.destroyed).toBe(true);
    const { writable } = slowWritable(1);
    const controller = new AbortController();
    const piping = pipeTo(
      cancelTold(() => {}),
      writable,
      { signal: controller.signal },
    );
    await quiet();
    controller.abort(new Error('enough'));
    await expect(piping).rejects.toThrow('enough');
    expect(writable.destroyed).toBe(true);
  });

  it('that was destroyed before its end is MAG_LINK_CLOSED, and its error its own', async () => {
    const readable = new Readable({ read: () => {} });
    const probe = FlowProbe.on(fromReadable(readable));
    readable.destroy();
    await until(() => probe.isOver);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_CLOSED' });
    const late = FlowProbe.on(fromReadable(readable));
    await until(() => late.isOver);
    expect(late.reason).toMatchObject({ code: 'MAG_LINK_CLOSED' });
  });

  it('that has no more ends its flow without being asked for it', async () => {
    const probe = FlowProbe.on(fromReadable(Readable.from(['a', 'b'])));
    probe.request(2);
    await until(() => probe.isOver);
    expect(probe.items).toEqual(['a', 'b']);
    expect(probe.ending).toBe('complete');
  });

  it('carries bytes both ways, and refuses a null', async () => {
    const bytes = fromArray([Buffer.from('ab'), Buffer.from('cd')]);
    const probe = FlowProbe.on(fromReadable(toReadable(bytes, { objectMode: false })));
    probe.request(10);
    await until(() => probe.isOver);
    expect(Buffer.concat(probe.items).toString()).toBe('abcd');
    const readable = toReadable(counting(3).pipe(map((n) => (n === 1 ? null : n))));
    await expect(readable.toArray()).rejects.toMatchObject({ code: 'MAG_LINK_ITEM_INVALID' });
  });
});

describe('a flow into an actor', () => {
  it('asks for the next item when the mailbox has taken the one before', async () => {
    let waiting = 0;
    let most = 0;
    let emitted = 0;
    const target = {
      offer: async (_message: { type: 'N'; n: number }) => {
        waiting += 1;
        most = Math.max(most, waiting);
        expect(emitted).toBe(_message.n + 1);
        await turn();
        waiting -= 1;
        return 'sent' as const;
      },
    };
    const flow = counting(50).pipe(
      tap(() => {
        emitted += 1;
      }),
      map((n) => ({ type: 'N' as const, n })),
    );
    expect(await toActor(flow, target)).toEqual({ sent: 50, dropped: 0 });
    expect(most).toBe(1);
  });

  it('ends where the actor is dead, rejects or cannot be reached, and cancels the source', async () => {
    for (const offer of [
      () => Promise.resolve('dead' as const),
      () => Promise.resolve('rejected' as const),
      () => Promise.reject(new Error('no way')),
    ]) {
      let cancelled = 0;
      const source = cancelTold(() => {
        cancelled += 1;
      });
      await expect(toActor(source, { offer })).rejects.toMatchObject({ code: 'MAG_FLOW_REFUSED' });
      expect(cancelled).toBe(1);
    }
  });

  it('counts what is rejected where that is wanted', async () => {
    let offers = 0;
    const offer = async () => (offers++ % 2 === 0 ? ('sent' as const) : ('rejected' as const));
    expect(await toActor(counting(5), { offer }, { rejected: 'drop' })).toEqual({ sent: 3, dropped: 2 });
  });

  it('rejects with the flow’s error, and with an abort', async () => {
    const offer = () => Promise.resolve('sent' as const);
    await expect(toActor(failing(2, new Error('gone')), { offer })).rejects.toThrow('gone');
    const controller = new AbortController();
    const source = fromPush<number>(buffer(2));
    const sending = toActor(source.flow, { offer }, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(sending).rejects.toThrow('enough');
    expect(source.push(1)).toBe(false);
  });
});
