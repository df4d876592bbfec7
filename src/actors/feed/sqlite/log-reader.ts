import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import type { Change, ChangeColumn } from '../../../protocol/change.ts';
import { decodeRow } from './cells.ts';

interface Shape {
  readonly table: string;
  readonly columns: readonly ChangeColumn[];
}

/** Reads `_mag_changes` of one connection. Every method is synchronous and may throw SQLite's errors. */
export interface LogReader {
  /** `schema_version` of the file. */
  schemaVersion(): number;
  /** Highest and lowest sequence number held; 0 and 1 for an empty log. */
  newest(): number;
  oldest(): number;
  epoch(): { readonly epoch: string; readonly began: number };
  /** At most `limit` changes after `after`, up to `until`; fewer where they are long. */
  read(after: number, until: number, limit: number): Change[];
}

/** SQLite schema names mean attached files, so tables appear under the schema that clients ask for by default. */
const SCHEMA = 'public';
const JULIAN_UNIX_EPOCH = 2_440_587.5;
const DAY_MS = 86_400_000;

const number = (row: Record<string, unknown> | undefined, name: string): number => Number(row?.[name] ?? 0);

const textLength = (value: unknown): number => (typeof value === 'string' ? value.length : 0);

export function createLogReader(db: DatabaseSync): LogReader {
  const version = db.prepare('PRAGMA schema_version');
  const newest = db.prepare('SELECT max(seq) AS seq FROM _mag_changes');
  const oldest = db.prepare('SELECT min(seq) AS seq FROM _mag_changes');
  const feed = db.prepare('SELECT epoch, began FROM _mag_feed');
  const shape = db.prepare('SELECT tbl, columns FROM _mag_shapes WHERE id = ?');
  const changes = db.prepare(
    'SELECT seq, shape, at, old, new FROM _mag_changes WHERE seq > ? AND seq <= ? ORDER BY seq',
  );
  // A shape never changes under its id; the schema version bounds how many there are.
  const shapes = new Map<number, Shape>();
  return {
    schemaVersion: () => number(version.get(), 'schema_version'),
    newest: () => number(newest.get(), 'seq'),
    oldest: () => number(oldest.get(), 'seq') || 1,
    epoch: () => {
      const row = feed.get();
      return { epoch: String(row?.['epoch']), began: number(row, 'began') };
    },
    read: (after, until, limit) => {
      const found: Change[] = [];
      let bytes = 0;
      // SQL's own limit would count the holes too.
      for (const row of changes.iterate(after, until)) {
        const change = toChange(row, shapes, shape);
        if (change === null) continue;
        found.push(change);
        bytes += textLength(row.old) + textLength(row.new);
        if (found.length >= limit || bytes >= LIMITS.feedBatchBytes) break;
      }
      return found;
    },
  };
}

function shapeOf(id: number, shapes: Map<number, Shape>, statement: StatementSync): Shape {
  const known = shapes.get(id);
  if (known !== undefined) return known;
  const row = statement.get(id);
  // Written by syncCapture alone, from ChangeColumn values.
  const columns = JSON.parse(String(row?.['columns'] ?? '[]')) as ChangeColumn[];
  const found = { table: String(row?.['tbl'] ?? ''), columns };
  shapes.set(id, found);
  return found;
}

function toChange(
  row: Record<string, unknown>,
  shapes: Map<number, Shape>,
  statement: StatementSync,
): Change | null {
  const id = number(row, 'shape');
  if (id === 0) return null;
  const { table, columns } = shapeOf(id, shapes, statement);
  const { old: before, new: after } = row;
  const record = typeof after === 'string' ? decodeRow(columns, after) : null;
  const old = typeof before === 'string' ? decodeRow(columns, before) : null;
  const at = Math.round((number(row, 'at') - JULIAN_UNIX_EPOCH) * DAY_MS);
  return {
    offset: number(row, 'seq'),
    type: typeOf(record, old),
    schema: SCHEMA,
    table,
    commitTimestamp: new Date(at).toISOString(),
    columns,
    record,
    old,
  };
}

function typeOf(record: object | null, old: object | null): Change['type'] {
  if (record === null) return old === null ? 'TRUNCATE' : 'DELETE';
  return old === null ? 'INSERT' : 'UPDATE';
}
