import { describe, expect, it } from 'vitest';
import { authorise, visible } from '../../src/actors/psu/access.ts';
import type { Grant, Principal } from '../../src/protocol/principal.ts';
import type { Query } from '../../src/protocol/query.ts';

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
