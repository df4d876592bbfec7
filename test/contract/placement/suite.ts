import { expect, it } from 'vitest';
import type { ActorSystem, Down, Ref } from '../../../src/index.ts';
import type { CellMessage } from '../../support/runtime/placed-module.ts';

/** What a placement is given as: a running system, and the path under which the placed subtree lies. */
export interface Placement {
  readonly system: ActorSystem;
  readonly mount: string;
}

/** What holds of an actor wherever it lives. */
export function placementContract(given: () => Placement): void {
  const find = (name: string): Ref<CellMessage> => {
    const { system, mount } = given();
    const ref = system.lookup<CellMessage>(`${mount}/${name}`);
    if (ref === undefined) throw new Error(`no ${name}`);
    return ref;
  };
  const ended = (ref: Ref<CellMessage>): Promise<Down> => new Promise((resolve) => void ref.monitor(resolve));
  const come = async (): Promise<void> => {
    const { system, mount } = given();
    // The one before may still be on its way out.
    await system.slot<CellMessage>(`${mount}/counter`).ask({ type: 'READ' });
  };

  it('takes messages in the order they were sent, objects and records alike', async () => {
    const ref = find('order');
    for (let n = 0; n < 300; n += 1)
      expect(n % 3 === 0 ? ref.sendBytes(Uint8Array.of(n % 256)) : ref.send({ type: 'N', n })).toBe('sent');
    expect(await ref.ask({ type: 'ORDER' })).toEqual(Array.from({ length: 300 }, (_, n) => n % 256));
  });

  it('answers a question, also later than in its own step', async () => {
    expect(await find('counter').ask({ type: 'READ' })).toBeTypeOf('number');
    expect(await find('counter').ask({ type: 'LATER' })).toBe('later');
  });

  it('times a question out that nobody answers', async () => {
    const silent = find('counter').ask({ type: 'SILENT' }, { timeout: 50 });
    await expect(silent).rejects.toMatchObject({ code: 'MAG_ASK_TIMEOUT' });
  });

  it('carries what goes with a message', async () => {
    const { system } = given();
    const ambient = { tenant: 'acme', principal: 'ann', traceparent: '00-aa-bb-01', lane: 2 };
    const seen = await system.withAmbient(ambient, () => find('counter').ask({ type: 'AMBIENT' }));
    expect(seen).toMatchObject(ambient);
  });

  it('tells one DOWN with the typed reason, and is not there for its reference afterwards', async () => {
    await come();
    const ref = find('counter');
    await ref.ask({ type: 'READ' });
    const downs: Down[] = [];
    ref.monitor((down) => downs.push(down));
    const down = ended(ref);
    ref.send({ type: 'BOOM' });
    expect(await down).toMatchObject({
      path: ref.path,
      reason: { kind: 'error', error: { message: 'boom' } },
    });
    expect((await down).address).toBe(ref.address);
    await come();
    expect(downs).toHaveLength(1);
    expect(ref.send({ type: 'READ' })).toBe('dead');
    await expect(ref.ask({ type: 'READ' })).rejects.toMatchObject({ code: 'MAG_ACTOR_NOT_FOUND' });
    expect(await ended(ref)).toMatchObject({ reason: { kind: 'error' } });
    expect(find('counter').address).not.toBe(ref.address);
  });

  it('is stopped by its reference, orderly, after what is in its mailbox', async () => {
    await come();
    const ref = find('counter');
    const down = ended(ref);
    ref.send({ type: 'ADD' });
    await ref.stop('enough');
    expect(await down).toMatchObject({ reason: { kind: 'shutdown', reason: 'enough' } });
    await come();
  });

  it('falls with what it is linked to, and the other way round', async () => {
    await come();
    for (const [one, other] of [
      ['counter', 'order'],
      ['order', 'counter'],
    ] as const) {
      const ref = find(other);
      await ref.ask({ type: 'READ' });
      const down = ended(ref);
      find(one).link(ref);
      find(one).send({ type: 'BOOM' });
      expect(await down).toMatchObject({ reason: { kind: 'error', error: { code: 'MAG_LINKED_EXIT' } } });
      await come();
      await given().system.slot<CellMessage>(`${given().mount}/order`).ask({ type: 'READ' });
    }
  });

  it('lets everyone in who waits for room, in order, by reference and by path', async () => {
    const ref = find('order');
    const slot = given().system.slot<CellMessage>(ref.path);
    for (const to of [ref, slot]) {
      const before = (await ref.ask({ type: 'ORDER' })).length;
      const offers = Array.from({ length: 1_500 }, (_, n) => to.offer({ type: 'N', n }, { timeout: 20_000 }));
      expect(new Set(await Promise.all(offers))).toEqual(new Set(['sent']));
      const order = await ref.ask({ type: 'ORDER' }, { timeout: 20_000 });
      expect(order.slice(before)).toEqual(offers.map((_, n) => n % 256));
    }
  });

  it('loses nothing that it was told is sent, however slow it is, and holds back who offers', async () => {
    const ref = find('narrow');
    let sent = 0;
    for (let n = 0; n < 5_000; n += 1) if (ref.send({ type: 'ADD' }) === 'sent') sent += 1;
    expect(sent).toBeLessThan(5_000);
    for (let n = 0; n < 40; n += 1)
      if ((await ref.offer({ type: 'ADD' }, { timeout: 20_000 })) === 'sent') sent += 1;
    let count = 0;
    while (count < sent) {
      try {
        count = await ref.ask({ type: 'READ' }, { timeout: 20_000 });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5)); // no room for the question yet
      }
    }
    expect(count).toBe(sent);
    expect(
      given()
        .system.deadLetters()
        .recent.filter(({ to }) => to === ref.path),
    ).toEqual([]);
  });
}
