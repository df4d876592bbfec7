import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import { sqliteTypeName } from './cells.ts';
import {
  type CapturedTable,
  describeTable,
  folded,
  listUserTables,
  quoted,
  type UserTable,
} from './tables.ts';
import { type CaptureTriggers, captureTriggers, rowJson, shapeOfTrigger } from './triggers.ts';

/**
 * The change capture that lives in a project's own SQLite file, and how it follows the schema.
 *
 * - `_mag_feed` one row: the epoch, and the offset at which it began.
 * - `_mag_shapes` what a log row's values are called: table name and columns at the time of writing.
 * - `_mag_changes` the log. An INSERT has no old row, a DELETE no new one, a TRUNCATE neither; shape 0 is a hole.
 * - `_mag_sources` the schema text for which a table's triggers were made last, so that the others cost nothing.
 * - `_mag_replaced` notes between the BEFORE and AFTER trigger of one row (see triggers.ts).
 */
const TABLES = `
  CREATE TABLE IF NOT EXISTS _mag_feed(id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, began INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS _mag_shapes(id INTEGER PRIMARY KEY, tbl TEXT NOT NULL, columns TEXT NOT NULL,
    state TEXT NOT NULL, ended INTEGER);
  CREATE TABLE IF NOT EXISTS _mag_changes(seq INTEGER PRIMARY KEY, shape INTEGER NOT NULL, at REAL, old TEXT, new TEXT);
  CREATE TABLE IF NOT EXISTS _mag_sources(tbl TEXT PRIMARY KEY, shape INTEGER NOT NULL, source TEXT NOT NULL,
    triggers INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS _mag_replaced(id INTEGER PRIMARY KEY, shape INTEGER, primary_key INTEGER, rid INTEGER,
    old TEXT, deleted INTEGER);`;

/** What a synchronisation did. */
export interface CaptureOutcome {
  /** The log could not follow the schema without a gap; a new epoch has begun. */
  readonly interrupted: boolean;
  readonly tables: number;
  /** Tables whose changes cannot be captured, with the reason. */
  readonly failed: readonly { readonly table: string; readonly error: unknown }[];
}

interface Shape {
  readonly id: number;
  readonly table: string;
  readonly columns: string;
  /** `paused`: its triggers were taken off by us for a statement that they forbid. */
  readonly state: string;
}

interface Installed {
  readonly name: string;
  readonly sql: string;
  readonly table: string;
  readonly order: number;
  readonly shape: number | null;
}

/** True where a feed was ever activated in this file. */
export function isCaptured(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name = '_mag_feed'").get() !== undefined;
}

/**
 * A write of the log's own. The connection may be a tenant's, and run() tells its last rowid: without BigInts it
 * throws, after the write, where a number cannot hold that.
 */
function writing(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  return statement;
}

/** Makes the log's tables and the first epoch. Inside a write transaction. */
export function activateCapture(db: DatabaseSync, epoch: string): void {
  db.exec(TABLES);
  writing(db, 'INSERT INTO _mag_feed(id, epoch, began) VALUES (1, ?, 0) ON CONFLICT DO NOTHING').run(epoch);
}

/** Ends the epoch: positions in it are no longer honoured. Inside a write transaction. */
export function beginEpoch(db: DatabaseSync, epoch: string): void {
  writing(db, 'UPDATE _mag_feed SET epoch = ?, began = (SELECT coalesce(max(seq), 0) FROM _mag_changes)').run(
    epoch,
  );
}

/**
 * Brings the triggers in line with the schema; a no-op where no feed was ever activated. Call inside a write
 * transaction: after DDL of our own in the same one, so that no write falls between.
 * A table that appeared has its rows logged as INSERTs, up to a bound; beyond it `newEpoch` names a new epoch.
 */
export function syncCapture(db: DatabaseSync, newEpoch: () => string, firstTime = false): CaptureOutcome {
  if (!isCaptured(db)) return { interrupted: false, tables: 0, failed: [] };
  db.exec(TABLES);
  const tables = listUserTables(db);
  const triggers = Map.groupBy(installedTriggers(db), ({ table }) => folded(table));
  const settled = settledTables(db);
  const failed: { table: string; error: unknown }[] = [];
  let interrupted = false;
  const kept = new Set<number>();
  for (const table of tables) {
    const there = triggers.get(folded(table.name)) ?? [];
    const known = settled.get(table.name);
    if (known !== undefined && isSettled(known, table, there)) {
      kept.add(known.shape);
      continue;
    }
    const outcome = captureTable(db, table, there, firstTime);
    kept.add(outcome.shape);
    if (outcome.error !== null) failed.push({ table: table.name, error: outcome.error });
    if (outcome.interrupted) interrupted = true;
  }
  retireShapes(db, kept);
  if (interrupted) beginEpoch(db, newEpoch());
  return { interrupted, tables: tables.length, failed };
}

/** What `_mag_sources` says of a table. */
interface Settled {
  readonly shape: number;
  readonly source: string;
  readonly triggers: number;
}

function settledTables(db: DatabaseSync): Map<string, Settled> {
  const rows = db.prepare('SELECT tbl, shape, source, triggers FROM _mag_sources').all();
  return new Map(
    rows.map((row) => [
      String(row['tbl']),
      { shape: Number(row['shape']), source: String(row['source']), triggers: Number(row['triggers']) },
    ]),
  );
}

/** The schema text is what the triggers were made for, and they are all there. */
function isSettled(known: Settled, { source }: UserTable, there: readonly Installed[]): boolean {
  const ours = there.filter(({ shape }) => shape !== null);
  return (
    known.source === source &&
    known.triggers === ours.length &&
    ours.every(({ shape }) => shape === known.shape)
  );
}

/** Gives one table the triggers that fit it, and logs its rows where it is new. */
function captureTable(
  db: DatabaseSync,
  found: UserTable,
  there: readonly Installed[],
  firstTime: boolean,
): { readonly shape: number; readonly error: unknown; readonly interrupted: boolean } {
  const table = describeTable(db, found);
  const ours = there.filter(({ shape }) => shape !== null);
  const lastForeign = Math.max(0, ...there.filter(({ shape }) => shape === null).map(({ order }) => order));
  const before = liveShape(db, table.name);
  const columns = columnsText(table);
  const shape = before?.columns === columns ? before.id : addShape(db, table.name, columns);
  const wanted = captureTriggers(table, shape);
  const error = isInstalled(wanted, ours, lastForeign) ? null : install(db, table, wanted, ours);
  if (error !== null) return { shape, error, interrupted: false };
  writing(db, "UPDATE _mag_shapes SET state = 'live' WHERE id = ? AND state = 'paused'").run(shape);
  writing(
    db,
    `INSERT INTO _mag_sources(tbl, shape, source, triggers) VALUES (?, ?, ?, ?)
     ON CONFLICT (tbl) DO UPDATE SET shape = excluded.shape, source = excluded.source, triggers = excluded.triggers`,
  ).run(table.name, shape, found.source, wanted.length);
  const appeared = !firstTime && ours.length === 0 && before?.state !== 'paused';
  return { shape, error, interrupted: appeared && !backfill(db, table, shape, before !== null) };
}

/**
 * Takes a table's triggers off for a statement that SQLite refuses while they name its columns (ALTER TABLE … DROP
 * COLUMN). syncCapture puts them back, in the same transaction, without taking the table for a new one.
 */
function pauseCapture(db: DatabaseSync, table: string): void {
  if (!isCaptured(db)) return;
  const ours = installedTriggers(db).filter(
    (trigger) => trigger.shape !== null && folded(trigger.table) === folded(table),
  );
  for (const trigger of ours) db.exec(`DROP TRIGGER ${quoted(trigger.name)}`);
  writing(db, "UPDATE _mag_shapes SET state = 'paused' WHERE tbl = ? COLLATE NOCASE AND state = 'live'").run(
    table,
  );
}

const DROP_COLUMN =
  /\balter\s+table\s+(?:main\s*\.\s*)?("(?:[^"]|"")+"|`(?:[^`]|``)+`|\[[^\]]+\]|[\w$]+)\s+drop\b/i;

/**
 * Before a schema statement of our own runs, as the board and in its transaction: takes off the triggers that would
 * refuse it. `afterSchemaStatement` must follow.
 */
export function beforeSchemaStatement(db: DatabaseSync, statement: string): void {
  const table = DROP_COLUMN.exec(statement)?.[1];
  if (table !== undefined) pauseCapture(db, unquoted(table));
}

/** After it, in the same transaction: captures what it changed, so that no write falls between. */
export function afterSchemaStatement(db: DatabaseSync): void {
  syncCapture(db, () => String(db.prepare('SELECT lower(hex(randomblob(9))) AS epoch').get()?.['epoch']));
}

function unquoted(name: string): string {
  const quote = name.charAt(0);
  if (quote === '[') return name.slice(1, -1);
  if (quote !== '"' && quote !== '`') return name;
  return name.slice(1, -1).replaceAll(quote + quote, quote);
}

function installedTriggers(db: DatabaseSync): Installed[] {
  const rows = db
    .prepare("SELECT rowid, name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'")
    .all();
  return rows.map((row) => ({
    name: String(row['name']),
    sql: String(row['sql']),
    table: String(row['tbl_name']),
    order: Number(row['rowid']),
    shape: shapeOfTrigger(String(row['name'])),
  }));
}

/**
 * Ours must be younger than the table's own triggers: SQLite runs the youngest first, so that a change is logged
 * before the changes that the user's triggers make in answer to it.
 */
function isInstalled(
  wanted: readonly CaptureTriggers[],
  ours: readonly Installed[],
  lastForeign: number,
): boolean {
  if (wanted.length !== ours.length) return false;
  return wanted.every((trigger) =>
    ours.some((there) => there.sql === trigger.sql && there.order > lastForeign),
  );
}

/** Gives back why it could not be done; the table is then left without triggers, since a bad one breaks its writes. */
function install(
  db: DatabaseSync,
  table: CapturedTable,
  wanted: readonly CaptureTriggers[],
  ours: readonly Installed[],
): unknown {
  for (const trigger of ours) db.exec(`DROP TRIGGER IF EXISTS ${quoted(trigger.name)}`);
  db.exec('SAVEPOINT mag_install');
  try {
    for (const trigger of wanted) db.exec(trigger.sql);
    compileWrites(db, table);
    return null;
  } catch (error) {
    db.exec('ROLLBACK TO mag_install');
    return error;
  } finally {
    db.exec('RELEASE mag_install');
  }
}

/** CREATE TRIGGER checks little; a statement that fires the triggers is what compiles them. */
function compileWrites(db: DatabaseSync, table: CapturedTable): void {
  const name = quoted(table.name);
  const column = table.columns.find((candidate) => !candidate.generated);
  db.prepare(`EXPLAIN INSERT INTO ${name} DEFAULT VALUES`);
  db.prepare(`EXPLAIN DELETE FROM ${name}`);
  if (column !== undefined) db.prepare(`EXPLAIN UPDATE ${name} SET ${quoted(column.name)} = NULL`);
}

const columnsText = (table: CapturedTable): string =>
  JSON.stringify(table.columns.map(({ name, declared }) => ({ name, type: sqliteTypeName(declared) })));

function liveShape(db: DatabaseSync, table: string): Shape | null {
  const row = db
    .prepare(
      "SELECT id, tbl, columns, state FROM _mag_shapes WHERE tbl = ? AND state <> 'ended' ORDER BY id DESC",
    )
    .get(table);
  if (row === undefined) return null;
  return {
    id: Number(row['id']),
    table: String(row['tbl']),
    columns: String(row['columns']),
    state: String(row['state']),
  };
}

function addShape(db: DatabaseSync, table: string, columns: string): number {
  const insert = writing(db, "INSERT INTO _mag_shapes(tbl, columns, state) VALUES (?, ?, 'live')");
  const added = insert.run(table, columns);
  return Number(added.lastInsertRowid);
}

function retireShapes(db: DatabaseSync, kept: ReadonlySet<number>): void {
  const live = db.prepare("SELECT id FROM _mag_shapes WHERE state <> 'ended'").all();
  const end = writing(
    db,
    "UPDATE _mag_shapes SET state = 'ended', ended = (SELECT coalesce(max(seq), 0) FROM _mag_changes) WHERE id = ?",
  );
  for (const row of live) if (!kept.has(Number(row['id']))) end.run(Number(row['id']));
  db.exec("DELETE FROM _mag_sources WHERE shape IN (SELECT id FROM _mag_shapes WHERE state = 'ended')");
}

/** Logs the rows a table already has; one that came back under its name starts empty. False beyond the bound. */
function backfill(db: DatabaseSync, table: CapturedTable, shape: number, rebuilt: boolean): boolean {
  const name = quoted(table.name);
  const found = db
    .prepare(`SELECT count(*) AS n FROM (SELECT 1 FROM ${name} LIMIT ${LIMITS.feedBackfillRows + 1})`)
    .get();
  if (Number(found?.['n']) > LIMITS.feedBackfillRows) return false;
  if (rebuilt) writing(db, "INSERT INTO _mag_changes(shape, at) VALUES (?, julianday('now'))").run(shape);
  db.exec(
    `INSERT INTO _mag_changes(shape, at, new) SELECT ${shape}, julianday('now'), ${rowJson(table, name)} FROM ${name}`,
  );
  return true;
}
