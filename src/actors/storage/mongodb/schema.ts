import { createHash } from 'node:crypto';
import type { Document } from 'bson';
import { DatabaseError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Host } from '../../../runtime/host.ts';
import type { ColumnInfo, SchemaSnapshot, TableInfo } from '../engine.ts';
import { KEY } from './fields.ts';
import { isReserved } from './names.ts';
import { eachDocument } from './reading.ts';
import type { Budget, Commands, MongodbSession } from './session.ts';
import { toJson } from './values.ts';

/** Documents of a collection that are looked at for what its columns are: a guess, and said to be one. */
const SAMPLE = 100;

function typeOf(value: unknown): string {
  if (value instanceof Date) return 'timestamp';
  const json = toJson(value);
  switch (typeof json) {
    case 'bigint':
      return 'bigint';
    case 'number':
      return Number.isInteger(json) ? 'integer' : 'double';
    case 'boolean':
      return 'boolean';
    case 'string':
      return 'text';
    default:
      return 'json';
  }
}

/** What two types of one column have in common. */
function widened(left: string | undefined, right: string): string {
  if (left === undefined || left === right) return right;
  const numbers = ['integer', 'bigint', 'double'];
  const wider = Math.max(numbers.indexOf(left), numbers.indexOf(right));
  return numbers.includes(left) && numbers.includes(right) ? (numbers[wider] ?? 'double') : 'json';
}

function columnsOf(sample: readonly Document[]): readonly ColumnInfo[] {
  const types = new Map<string, string>();
  for (const document of sample) {
    for (const [field, value] of Object.entries(document)) {
      const name = field === '_id' ? KEY : field;
      if (value === null || (field === KEY && '_id' in document)) continue;
      types.set(name, widened(types.get(name), typeOf(value)));
    }
  }
  const key = types.get(KEY) ?? 'text';
  types.delete(KEY);
  return [
    { name: KEY, type: key, nullable: false, hasDefault: true, primaryKey: 1 },
    ...[...types].map(([name, type]) => ({ name, type, nullable: true, hasDefault: false, primaryKey: 0 })),
  ];
}

async function listAll(commands: Commands, command: Document, collection: string): Promise<Document[]> {
  const found: Document[] = [];
  await eachDocument(commands, command, collection, (document) => found.push(document));
  return found;
}

/** Column sets under unique indexes, the key first. */
async function uniqueOf(commands: Commands, name: string): Promise<readonly (readonly string[])[]> {
  const indexes = await listAll(commands, { listIndexes: name, cursor: {} }, name);
  const unique = indexes.filter(
    (index) => index['unique'] === true && index['partialFilterExpression'] === undefined,
  );
  return [[KEY], ...unique.map(({ key }) => Object.keys(key as Document))]; // an index has a key
}

async function describe(commands: Commands, name: string): Promise<TableInfo> {
  const { cursor } = await commands.run({ find: name, filter: {}, limit: SAMPLE, singleBatch: true });
  const columns = columnsOf(cursor.firstBatch);
  return { schema: 'public', name, kind: 'table', columns, unique: await uniqueOf(commands, name) };
}

/** What the collections of a project look like, from a sample of each; looked at anew after a while. */
export class SchemaSample {
  readonly #session: MongodbSession;
  readonly #host: Host;
  #known: { readonly at: number; readonly snapshot: SchemaSnapshot } | null = null;

  constructor(session: MongodbSession, host: Host) {
    this.#session = session;
    this.#host = host;
  }

  async read(budget: Budget): Promise<SchemaSnapshot> {
    const now = this.#host.now();
    if (this.#known !== null && now - this.#known.at < LIMITS.schemaCheckMs) return this.#known.snapshot;
    const snapshot = await this.#session.withCommands(budget, async (commands) => {
      const command = { listCollections: 1, filter: { type: 'collection' }, nameOnly: true, cursor: {} };
      const collections = await listAll(commands, command, '$cmd.listCollections');
      const names = collections.map(({ name }) => String(name)).filter((name) => !isReserved(name));
      const tables: [string, TableInfo][] = [];
      for (const name of names.slice(0, LIMITS.sampledCollections))
        tables.push([name, await describe(commands, name)]);
      return snapshotOf(tables);
    });
    this.#known = { at: now, snapshot };
    return snapshot;
  }
}

/** Whether these columns are the key, or what a unique index is over, as the server knows it now. */
export async function isUniqueTarget(
  commands: Commands,
  table: string,
  columns: readonly string[],
): Promise<boolean> {
  const wanted = [...columns].sort().join('\0');
  if (wanted === KEY) return true;
  try {
    const unique = await uniqueOf(commands, table);
    return unique.some((fields) => [...fields].sort().join('\0') === wanted);
  } catch (error) {
    // A collection that nobody has made yet.
    if (error instanceof DatabaseError && error.code === '42P01') return false;
    throw error;
  }
}

function snapshotOf(tables: readonly [string, TableInfo][]): SchemaSnapshot {
  const version = createHash('sha256').update(JSON.stringify(tables)).digest('hex').slice(0, 16);
  return { version, tables: new Map(tables) };
}
