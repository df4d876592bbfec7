import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visible } from '../../src/actors/psu/access.ts';
import {
  asksFor,
  ChangeEvaluation,
  showingOf,
  typesOf,
} from '../../src/actors/realtime/change-evaluation.ts';
import { arrayText } from '../../src/actors/realtime/change-frame.ts';
import { type ChangeGroup, ChangeGroups } from '../../src/actors/realtime/change-group.ts';
import { type Channel, principalKey } from '../../src/actors/realtime/channel.ts';
import type { Change } from '../../src/protocol/change.ts';
import type { Grant, Principal } from '../../src/protocol/principal.ts';
import { type Binding, parseJoin } from '../../src/protocol/realtime-config.ts';

const row = fc.record({ id: fc.nat(3), owner: fc.constantFrom('ann', 'bob', null) });
const change: fc.Arbitrary<Change> = fc
  .record({
    type: fc.constantFrom('INSERT' as const, 'UPDATE' as const, 'DELETE' as const),
    schema: fc.constantFrom('public', 'hidden'),
    table: fc.constantFrom('a', 'b'),
    record: row,
    old: row,
  })
  .map(({ type, record, old, ...rest }) => ({
    ...rest,
    type,
    offset: 7,
    commitTimestamp: '2026-11-23T08:00:00Z',
    columns: [
      { name: 'id', type: 'int4' },
      { name: 'owner', type: 'text' },
    ],
    record: type === 'DELETE' ? null : record,
    old: type === 'INSERT' ? null : old,
  }));

const bindingConfig = fc.record(
  {
    event: fc.constantFrom('*', 'INSERT', 'UPDATE', 'DELETE'),
    schema: fc.constantFrom('public', '*'),
    table: fc.constantFrom('a', 'b'),
    filter: fc.constantFrom('id=eq.1', 'id=gt.1', 'owner=neq.ann', 'owner=is.null'),
    select: fc.constantFrom(['id'], ['id', 'owner']),
  },
  { requiredKeys: ['event'] },
);
const principal: fc.Arbitrary<Principal> = fc.constantFrom(
  { role: 'service_role', claims: {} },
  { role: 'anon', claims: {} },
  { role: 'authenticated', claims: { sub: 'ann' } },
  { role: 'authenticated', claims: { sub: 'bob' } },
);
const grants: readonly Grant[] = [
  { role: 'authenticated', table: 'a', actions: ['select'], using: 'owner.eq.{sub}' },
  { role: 'anon', table: 'b', actions: ['select'] },
];

const bindingsOf = (configs: readonly object[]): readonly Binding[] =>
  parseJoin({
    config: {
      postgres_changes: configs.map((config) => ('table' in config ? config : withoutFilter(config))),
    },
  }).bindings;
const withoutFilter = (config: object): object => ({ ...config, filter: undefined });

/** Only what grouping reads of a channel. */
function channelOf(name: string, who: Principal, bindings: readonly Binding[]): Channel {
  const config = { extension: null, bindings };
  return {
    fullTopic: `realtime:${name}`,
    connection: { vsn: '2.0.0' },
    config,
    principal: who,
    group: null,
  } as never;
}

interface Delivered {
  readonly ids: readonly number[];
  readonly data: { readonly type: string; readonly record?: object; readonly old_record?: object };
}

/** A frame's payload, past the WebSocket header. */
function read(frame: Buffer): Delivered {
  const text = frame.toString();
  return JSON.parse(text.slice(text.indexOf('[')))[4];
}

/** What one subscriber alone would be shown, worked out for it alone. */
function naive(shown: Change, who: Principal, bindings: readonly Binding[]): number[] {
  if (shown.schema !== 'public' && who.role !== 'service_role') return [];
  const types = typesOf('postgres', shown);
  const showing = showingOf(shown, visible(who, grants, shown.table, shown.old, shown.record, types));
  if (showing === null) return [];
  return bindings.filter((binding) => asksFor(binding, shown, showing, types)).map(({ id }) => id);
}

describe('changes by groups', () => {
  const subscriber = fc.record({
    name: fc.constantFrom('x', 'y'),
    who: principal,
    configs: fc.array(bindingConfig, { minLength: 1, maxLength: 3 }),
  });

  it('reach each subscriber as if it were alone, and never show a row that it may not see', () => {
    fc.assert(
      fc.property(fc.array(subscriber, { minLength: 1, maxLength: 8 }), change, (subscribers, happened) => {
        const groups = new ChangeGroups();
        const channels = subscribers.map(({ name, who, configs }) =>
          channelOf(name, who, bindingsOf(configs)),
        );
        for (const channel of channels) groups.add(channel);
        const evaluation = new ChangeEvaluation(
          { epoch: 'e', engine: 'postgres' },
          happened,
          grants,
          visible,
        );
        const got = new Map<Channel, Delivered[]>(channels.map((channel) => [channel, []]));
        for (const group of groups.candidates(happened)) {
          const payloads = evaluation.framesFor(group).map(read);
          for (const channel of group.channels) got.get(channel)?.push(...payloads);
        }
        for (const channel of channels) {
          const payloads = got.get(channel) ?? [];
          const ids = payloads.flatMap((payload) => payload.ids).sort();
          expect(ids).toEqual(naive(happened, channel.principal, channel.config.bindings).sort());
          const { sub } = channel.principal.claims;
          if (sub === undefined) continue;
          for (const { data } of payloads) {
            const owners = [data.record, data.old_record].flatMap((seen) =>
              seen !== undefined && 'owner' in seen ? [seen.owner] : [],
            );
            expect(owners.every((owner) => owner === sub)).toBe(true);
          }
        }
      }),
    );
  });

  it('leave nothing behind when every channel is gone', () => {
    fc.assert(
      fc.property(fc.array(subscriber, { maxLength: 8 }), change, (subscribers, happened) => {
        const groups = new ChangeGroups();
        const channels = subscribers.map(({ name, who, configs }) =>
          channelOf(name, who, bindingsOf(configs)),
        );
        for (const channel of channels) groups.add(channel);
        for (const channel of channels) groups.remove(channel);
        expect([groups.size, groups.candidates(happened).size]).toEqual([0, 0]);
      }),
    );
  });

  it('are one frame for all channels that ask alike', () => {
    const groups = new ChangeGroups();
    const bindings = bindingsOf([{ event: '*', table: 'b' }]);
    const who: readonly Principal[] = [
      { role: 'service_role', claims: {} },
      { role: 'anon', claims: {} },
      { role: 'service_role', claims: {} },
    ];
    for (const one of who) groups.add(channelOf('x', one, bindings));
    const happened = {
      ...fc.sample(change, 1)[0],
      type: 'INSERT',
      schema: 'public',
      table: 'b',
      record: {},
    } as Change;
    const evaluation = new ChangeEvaluation({ epoch: 'e', engine: 'postgres' }, happened, grants, visible);
    const frames = [...groups.candidates(happened)].flatMap((group: ChangeGroup) =>
      evaluation.framesFor(group),
    );
    expect([groups.size, frames.length, new Set(frames).size]).toEqual([2, 2, 1]);
  });
});

describe('how an update is shown', () => {
  const update = { type: 'UPDATE' } as Change;
  it.each([
    [
      { old: true, new: true },
      { type: 'UPDATE', record: true, old: true },
    ],
    [
      { old: false, new: true },
      { type: 'UPDATE', record: true, old: false },
    ],
    [
      { old: true, new: false },
      { type: 'DELETE', record: false, old: true },
    ],
    [{ old: false, new: false }, null],
  ])('to somebody who sees %j', (seen, expected) => {
    expect(showingOf(update, seen)).toEqual(expected);
  });
});

describe('principals', () => {
  it('share a key exactly where role and claims are equal, in any order of claims', () => {
    const claims = fc.dictionary(fc.string({ maxLength: 3 }), fc.oneof(fc.string(), fc.integer()), {
      maxKeys: 3,
    });
    fc.assert(
      fc.property(claims, claims, (left, right) => {
        const key = (given: Record<string, unknown>) => principalKey({ role: 'anon', claims: given });
        const turned = Object.fromEntries(Object.entries(left).reverse());
        expect(key(turned)).toBe(key(left));
        const same =
          JSON.stringify(Object.entries(left).sort()) === JSON.stringify(Object.entries(right).sort());
        expect(key(left) === key(right)).toBe(same);
      }),
    );
  });
});

describe('array text', () => {
  it('is read back by a client that takes its inside for JSON', () => {
    const values = fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)));
    fc.assert(
      fc.property(values, (given) => {
        expect(JSON.parse(`[${arrayText(given).slice(1, -1)}]`)).toEqual(given);
      }),
    );
  });
});
