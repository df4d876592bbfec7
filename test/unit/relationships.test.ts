import { describe, expect, it } from 'vitest';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { isPublicError } from '../../src/errors.ts';
import { embed } from '../contract/engine/embeds.ts';
import { select } from '../contract/engine/subject.ts';

const column = (name: string, primaryKey = 0) => ({
  ...{ name, type: 'integer', nullable: true, hasDefault: false, primaryKey },
});
const table = (schema: string, name: string) => ({
  ...{ schema, name, kind: 'table' as const, columns: [column('id', 1)], unique: [['id']] },
});
/** Many to many through a table of another schema, and through a second one of the same. */
const between = (schema: string, name: string, others: readonly [string, string]) => ({
  ...table(schema, name),
  columns: others.map((other, at) => column(other, at + 1)),
  unique: [others],
  foreignKeys: others.map((other) => ({
    ...{ name: `${name}_${other}`, columns: [other] },
    references: { schema: 'public', table: other, columns: ['id'] },
  })),
});
const tables = [
  ...[table('public', 'films'), table('public', 'actors'), table('public', 'shops')],
  ...[between('public', 'roles', ['films', 'actors']), between('private', 'stunts', ['films', 'actors'])],
  between('private', 'sales', ['films', 'shops']),
];
const snapshot = {
  version: '1',
  tables: new Map(
    tables.map((each) => [each.schema === 'public' ? each.name : `${each.schema}.${each.name}`, each]),
  ),
};

describe('a table in between', () => {
  const outcome = (target: string, exposed?: readonly string[]): unknown => {
    try {
      resolveEmbeds(select({ table: 'films', select: [embed(target)] }), snapshot, exposed);
      return null;
    } catch (error) {
      if (!isPublicError(error)) throw error;
      return error.code;
    }
  };

  it('is only one of a schema that REST reaches', () => {
    expect(outcome('actors', ['public'])).toBeNull();
    expect(outcome('shops', ['public'])).toBe('PGRST200');
    expect(outcome('actors', ['public', 'private'])).toBe('PGRST201');
    expect(outcome('shops')).toBeNull();
  });
});
