import { describe, expect, it } from 'vitest';
import { authorise, visible } from '../../src/actors/psu/access.ts';
import { parseRule } from '../../src/actors/psu/grant-rules.ts';
import type { Grant, Principal } from '../../src/protocol/principal.ts';
import type { CallQuery, Query, SelectItem } from '../../src/protocol/query.ts';

const service: Principal = { role: 'service_role', claims: {} };
const anon: Principal = { role: 'anon', claims: {} };
const ann: Principal = {
  role: 'authenticated',
  claims: { sub: 'ann', teams: ['red', 'blue'], app: { level: 3 }, odd: 'a%_\\b', star: '*' },
};

const target = { schema: 'public', table: 'todos' } as const;
const select: Query = { kind: 'select', ...target, select: [{ kind: 'all' }], order: [] };
const insert: Query = { kind: 'insert', ...target, rows: [{ id: 1 }], missing: 'null' };
const update: Query = { kind: 'update', ...target, set: { done: true } };
const remove: Query = { kind: 'delete', ...target };
const one = { kind: 'compare', column: { name: 'id' }, op: 'eq', value: '1', negated: false } as const;
const owned = (value: string): object => ({
  kind: 'compare',
  column: { name: 'owner' },
  op: 'eq',
  value,
  negated: false,
});

const grant = (actions: Grant['actions'], using?: string, role: Grant['role'] = 'authenticated'): Grant => ({
  role,
  table: 'todos',
  actions,
  ...(using === undefined ? {} : { using }),
});
const forbidden = expect.objectContaining({ code: 'MAG_FORBIDDEN', status: 403 });

describe('without a grant', () => {
  it('the service role does everything, its query untouched', () => {
    for (const query of [select, insert, update, remove]) expect(authorise(service, [], query)).toBe(query);
  });

  it('every other role does nothing', () => {
    for (const query of [select, insert, update, remove]) {
      expect(() => authorise(anon, [], query)).toThrowError(forbidden);
      expect(() => authorise(ann, [grant(['select'], undefined, 'anon')], query)).toThrowError(forbidden);
    }
    expect(visible(anon, [], 'todos', { id: 1 }, { id: 1 })).toEqual({ old: false, new: false });
  });

  it('no other schema is reached', () => {
    const grants = [{ role: 'anon', table: '*', actions: ['select'] }] as const;
    expect(() => authorise(anon, grants, { ...select, schema: 'secret' })).toThrowError(forbidden);
  });
});

describe('a grant', () => {
  it('without a row filter leaves a read as it is', () => {
    expect(authorise(ann, [grant(['select'])], select)).toBe(select);
  });

  it('with a row filter narrows a read, claims filled in', () => {
    expect(authorise(ann, [grant(['select'], 'owner.eq.{sub}')], select)).toMatchObject({
      where: owned('ann'),
    });
    expect(authorise(ann, [grant(['select'], 'owner.eq.{sub}')], { ...select, where: one })).toMatchObject({
      where: { kind: 'and', terms: [one, owned('ann')] },
    });
  });

  it('adds up with others of the same table', () => {
    const grants = [grant(['select'], 'owner.eq.{sub}'), grant(['select'], 'public.is.true')];
    expect(authorise(ann, grants, select)).toMatchObject({
      where: { kind: 'or', terms: [owned('ann'), {}] },
    });
    expect(authorise(ann, [...grants, grant(['select'])], select)).toBe(select);
  });

  it('on * covers every table', () => {
    const grants: Grant[] = [{ role: 'anon', table: '*', actions: ['select'] }];
    expect(authorise(anon, grants, select)).toBe(select);
  });

  it('that cannot be read grants nothing', () => {
    expect(() => authorise(ann, [grant(['select'], 'owner ~ x')], select)).toThrowError(forbidden);
  });

  it('checks what an insert or update leaves behind', () => {
    const grants = [grant(['insert', 'update'], 'owner.eq.{sub}')];
    expect(authorise(ann, grants, insert)).toMatchObject({ check: owned('ann') });
    expect(authorise(ann, grants, update)).toMatchObject({ where: owned('ann'), check: owned('ann') });
  });
});

describe('a write that reads', () => {
  it('needs select for its filter and for what it gives back', () => {
    const writes = [grant(['insert', 'update', 'delete'])];
    expect(() => authorise(ann, writes, { ...update, where: one })).toThrowError(forbidden);
    expect(() => authorise(ann, writes, { ...remove, where: one })).toThrowError(forbidden);
    expect(() => authorise(ann, writes, { ...insert, returning: [{ kind: 'all' }] })).toThrowError(forbidden);
  });

  it('touches only rows that it may see', () => {
    const grants = [grant(['update']), grant(['select'], 'owner.eq.{sub}')];
    expect(authorise(ann, grants, { ...update, where: one })).toMatchObject({
      where: { kind: 'and', terms: [one, owned('ann')] },
    });
  });

  it('does not merge over rows that the update grant would have to hold back', () => {
    const merge: Query = { ...insert, onConflict: { resolution: 'merge' } };
    expect(() => authorise(ann, [grant(['insert', 'update'], 'owner.eq.{sub}')], merge)).toThrowError(
      forbidden,
    );
    expect(() => authorise(ann, [grant(['insert'])], merge)).toThrowError(forbidden);
    expect(authorise(ann, [grant(['insert', 'update'])], merge)).toEqual(merge);
  });
});

describe('claims', () => {
  const sees = (using: string, row: Record<string, string | number>, who = ann): boolean =>
    visible(
      who,
      [grant(['select'], using, who.role === 'anon' ? 'anon' : 'authenticated')],
      'todos',
      null,
      row,
    ).new;

  it('are found by path, expanded in lists, and literal in patterns', () => {
    expect(sees('level.lte.{app.level}', { level: 3 })).toBe(true);
    expect(sees('team.in.({teams},green)', { team: 'blue' })).toBe(true);
    expect(sees('team.in.({teams})', { team: 'pink' })).toBe(false);
    expect(sees('name.like.{odd}*', { name: 'a%_\\bc' })).toBe(true);
    expect(sees('name.like.{odd}*', { name: 'axy\\bc' })).toBe(false);
    expect(sees('name.like.{star}', { name: 'anything' })).toBe(false);
    expect(sees('name.like.{star}*', { name: '*anything' })).toBe(true);
  });

  it('that are missing match nothing, negated or not', () => {
    expect(sees('owner.eq.{nope}', { owner: '' })).toBe(false);
    expect(sees('owner.neq.{nope}', { owner: 'x' })).toBe(false);
    expect(sees('owner.not.eq.{nope}', { owner: 'x' })).toBe(false);
    expect(sees('not.or(owner.eq.{nope},id.eq.2)', { owner: 'x', id: 1 })).toBe(false);
    expect(sees('team.not.in.({nope})', { team: 'x' })).toBe(false);
    expect(sees('owner.eq.{constructor}', { owner: 'x' })).toBe(false);
  });

  it('that are missing leave the other alternatives standing', () => {
    expect(sees('or(owner.eq.{sub},id.eq.1)', { owner: 'x', id: 1 }, anon)).toBe(true);
    expect(sees('or(owner.eq.{sub},id.eq.1)', { owner: 'x', id: 2 }, anon)).toBe(false);
  });
});

describe('a change of a row', () => {
  it('is seen side by side', () => {
    const grants = [grant(['select'], 'owner.eq.{sub}')];
    const shown = visible(ann, grants, 'todos', { id: 1, owner: 'ann' }, { id: 1, owner: 'bob' });
    expect(shown).toEqual({ old: true, new: false });
    expect(visible(service, [], 'todos', null, { id: 1 })).toEqual({ old: false, new: true });
  });
});

describe('an embedded table', () => {
  const join = { schema: 'public', table: 'people', toOne: true, from: ['owner'], to: ['id'] };
  const embed = (more: object = {}): SelectItem => ({
    kind: 'embed',
    embed: {
      relation: 'people',
      inner: false,
      spread: false,
      select: [{ kind: 'all' }],
      order: [],
      join,
      ...more,
    },
  });
  const embedding = (...items: readonly SelectItem[]): Query => ({ ...select, select: items });
  const people = (using?: string): Grant => ({ ...grant(['select'], using), table: 'people' });
  const todos = grant(['select']);

  it('is read under a grant of its own, and not without', () => {
    expect(() => authorise(ann, [todos], embedding(embed()))).toThrowError(forbidden);
    expect(() => authorise(anon, [todos, people()], embedding(embed()))).toThrowError(forbidden);
    expect(authorise(ann, [todos, people()], embedding(embed()))).toEqual(embedding(embed()));
  });

  it('is narrowed to the rows that its grant shows, at any depth and beside its own filter', () => {
    const grants = [todos, people('owner.eq.{sub}')];
    const query = embedding(embed({ where: one, select: [embed()] }));
    expect(authorise(ann, grants, query)).toEqual(
      embedding(
        embed({
          where: { kind: 'and', terms: [one, owned('ann')], negated: false },
          select: [embed({ where: owned('ann') })],
        }),
      ),
    );
  });

  it('is narrowed in what a write gives back, too', () => {
    const writes = [grant(['update', 'select', 'insert', 'delete'])];
    const returning = [embed()];
    for (const query of [insert, update, remove]) {
      expect(() => authorise(ann, writes, { ...query, returning } as Query)).toThrowError(forbidden);
      expect(
        authorise(ann, [...writes, people('owner.eq.{sub}')], { ...query, returning } as Query),
      ).toMatchObject({
        returning: [embed({ where: owned('ann') })],
      });
    }
  });

  it('is not reached in another schema, nor before it is known which table it is', () => {
    const every: readonly Grant[] = [{ role: 'authenticated', table: '*', actions: ['select'] }];
    const elsewhere = embed({ join: { ...join, schema: 'secret' } });
    const unknown = embed({ join: undefined });
    expect(() => authorise(ann, every, embedding(elsewhere))).toThrowError(forbidden);
    expect(() => authorise(ann, every, embedding(unknown))).toThrowError(forbidden);
  });

  it('is reached through a table in between only where that is seen whole', () => {
    const via = { schema: 'public', table: 'members', from: ['a'], to: ['b'] };
    const query = embedding(embed({ join: { ...join, via } }));
    const members = (using?: string): Grant => ({ ...grant(['select'], using), table: 'members' });
    expect(() => authorise(ann, [todos, people()], query)).toThrowError(forbidden);
    expect(() => authorise(ann, [todos, people(), members('a.eq.1')], query)).toThrowError(forbidden);
    expect(authorise(ann, [todos, people(), members()], query)).toEqual(query);
  });
});

describe('a function', () => {
  const call: CallQuery = {
    kind: 'call',
    schema: 'public',
    function: 'f',
    arguments: { kind: 'named', values: {} },
    readOnly: true,
    select: [{ kind: 'all' }],
    order: [],
  };

  it('is for the service role alone: no grant says what it may touch', () => {
    const every: readonly Grant[] = [{ role: 'anon', table: '*', actions: ['select', 'insert'] }];
    expect(() => authorise(anon, every, call)).toThrowError(forbidden);
    expect(authorise(service, [], call)).toBe(call);
  });
});

describe('a rule that only an engine could decide', () => {
  it.each([
    'a.match.x',
    'a.fts.x',
    'a.eq(any).{1}',
    'a.cs.{1}',
    'data->>k.eq.1',
    'not.or(a.eq.1,b.isdistinct.2)',
  ])('%s is refused, and grants nothing', (using) => {
    expect(() => parseRule(using)).toThrowError(
      expect.objectContaining({ code: 'MAG_FILTER_INVALID', status: 400 }),
    );
    expect(() => authorise(ann, [grant(['select'], using)], select)).toThrowError(forbidden);
  });

  it('leaves the plain ones', () => {
    expect(parseRule('and(a.like.x*,b.in.(1,2),not.or(c.is.null,d.lte.{sub}))')).toMatchObject({
      kind: 'and',
    });
  });
});
