import type { TableInfo } from '../../actors/storage/engine.ts';
import { MagError } from '../../errors.ts';
import { parseExact } from '../../protocol/exact-json.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { JsonValue, Row } from '../../protocol/query.ts';
import type { ProjectClient } from '../project-client.ts';
import type { ProjectSchema } from './database-types.ts';

/** A table as the database has it now. Throws PGRST205. */
export async function describeTable(project: ProjectClient, table: string): Promise<TableInfo> {
  // The route gives this shape.
  const { tables } = (await project.request('/schema/v1')) as ProjectSchema;
  const found = tables.find(({ schema, name }) => schema === 'public' && name === table);
  if (found === undefined) throw new MagError('PGRST205', { table: `public.${table}` });
  return found;
}

export const hasNoColumns = (engine: EngineKind): boolean => engine === 'mongodb' || engine === 'redis';

/** A document's fields have the types of their values, and CSV has none: 1, "1" and true would all become texts. */
export function refuseCsvOfDocuments(engine: EngineKind): void {
  if (hasNoColumns(engine))
    throw new MagError('MAG_USAGE', {
      problem: `documents on ${engine} have no columns with types: use jsonl`,
    });
}

/** Columns whose values stand in CSV as JSON: what a text would be stored as in them is another value. */
const isJson = (type: string): boolean => /^jsonb?$/i.test(type) || type.endsWith('[]');

export const jsonColumns = ({ columns }: TableInfo): ReadonlySet<string> =>
  new Set(columns.filter(({ type }) => isJson(type)).map(({ name }) => name));

/** Reads the cells of a table's JSON and array columns. The rest are texts, which the database reads as their types. */
export async function cellReader(
  project: ProjectClient,
  table: string,
): Promise<(row: Row, at: number) => Row> {
  const names = jsonColumns(await describeTable(project, table));
  if (names.size === 0) return (row) => row;
  const read = (name: string, value: JsonValue, at: number): JsonValue => {
    if (typeof value !== 'string') return value;
    try {
      return parseExact(value);
    } catch (cause) {
      throw new MagError('MAG_USAGE', { problem: `row ${at}: ${name} is no JSON` }, { cause });
    }
  };
  return (row, at) => {
    const typed: Record<string, JsonValue> = { ...row };
    for (const name of names) if (Object.hasOwn(row, name)) typed[name] = read(name, row[name] ?? null, at);
    return typed;
  };
}
