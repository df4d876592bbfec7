import { type CapturedTable, type KeyTerm, quoted, type UniqueKey } from './tables.ts';

/**
 * The triggers that write a table's changes into `_mag_changes`.
 *
 * SQLite runs no delete trigger for a row that REPLACE removes (unless recursive_triggers is on), and it runs the
 * BEFORE INSERT trigger also for a row that is then ignored or becomes the UPDATE of an upsert. So the BEFORE
 * triggers only note in `_mag_replaced` who stands in the way of the new row; when the AFTER trigger of the same
 * row runs, uniqueness says that those are gone, and it logs them. What was noted for a row that never came is
 * cleared by the next BEFORE trigger of its table.
 */
export interface CaptureTriggers {
  readonly name: string;
  readonly sql: string;
}

/** Before 3.48 an SQLite of another program takes at most 127 arguments, and must be able to run these too. */
const ARGUMENTS = 100;
const CHUNK_SEPARATOR = '||char(10)||';
const NOW = "julianday('now')";

/** Prefix of every trigger of ours; the shape's id follows the kind. */
const TRIGGER_PREFIX = '_mag_';

/** Id of the shape that a trigger of ours writes, or null for somebody else's trigger. */
export function shapeOfTrigger(name: string): number | null {
  const match = /^_mag_(?:bi|bu|ai|au|ad|ri|ru|rd)_(\d+)$/.exec(name);
  return match?.[1] === undefined ? null : Number(match[1]);
}

/** JSON arrays of a row's values, blobs as `\x…` text; one line for each hundred columns. */
export function rowJson(table: CapturedTable, row: string): string {
  const values = table.columns.map((column) => {
    const value = `${row}.${quoted(column.name)}`;
    // Of a STRICT table these can hold no blob, on which json_array would fail and with it the user's write.
    if (table.strict && /^(INT|INTEGER|REAL|TEXT)$/.test(column.declared)) return value;
    return `CASE typeof(${value}) WHEN 'blob' THEN '\\x'||lower(hex(${value})) ELSE ${value} END`;
  });
  const chunks: string[] = [];
  for (let at = 0; at < values.length; at += ARGUMENTS) {
    chunks.push(`json_array(${values.slice(at, at + ARGUMENTS).join(',')})`);
  }
  return chunks.join(CHUNK_SEPARATOR);
}

/** A unique key seen from a statement about to write NEW: who conflicts, and whether the key moved at all. */
interface Conflict {
  readonly primary: boolean;
  readonly holds: string;
  readonly moved: string | null;
}

function conflictsOf(table: CapturedTable): Conflict[] {
  const conflicts = table.keys.flatMap((key) => {
    const holds = keyCondition(table, key);
    return holds === null ? [] : [{ primary: key.primary, holds, moved: keyMoved(key) }];
  });
  const { rowid } = table;
  if (rowid === null) return conflicts;
  const own: Conflict = {
    primary: table.rowidIsPrimary,
    holds: `${quoted(table.name)}.${rowid} = NEW.${rowid}`,
    moved: `NEW.${rowid} <> OLD.${rowid}`,
  };
  return [own, ...conflicts];
}

function keyCondition(table: CapturedTable, key: UniqueKey): string | null {
  const parts: string[] = [];
  for (const term of key.terms) {
    const part = termCondition(table, term);
    if (part === null) return null;
    parts.push(part);
  }
  if (key.where !== null) parts.push(`(${key.where})`, overNew(table, key.where));
  return parts.join(' AND ');
}

function termCondition(table: CapturedTable, term: KeyTerm): string | null {
  const collate = ` COLLATE ${quoted(term.collation)}`;
  if (term.column === null) {
    if (term.expression === null) return null;
    return `(${term.expression})${collate} = ${overNew(table, term.expression)}`;
  }
  const column = table.columns.find((candidate) => candidate.name === term.column);
  if (column === undefined) return null;
  const name = quoted(column.name);
  // A REPLACE that meets NULL in a NOT NULL column puts the default there, after this trigger ran.
  const value =
    column.notNull && column.defaultText !== null
      ? `coalesce(NEW.${name}, (${column.defaultText}))`
      : `NEW.${name}`;
  return `${quoted(table.name)}.${name} = ${value}${collate}`;
}

/** An expression written for the table's rows, evaluated over NEW instead. */
function overNew(table: CapturedTable, expression: string): string {
  const columns = table.columns.map((column) => `NEW.${quoted(column.name)} AS ${quoted(column.name)}`);
  return `(SELECT (${expression}) FROM (SELECT ${columns.join(', ')}) AS ${quoted(table.name)})`;
}

function keyMoved(key: UniqueKey): string | null {
  if (key.where !== null) return null;
  const terms: string[] = [];
  for (const term of key.terms) {
    if (term.column === null) return null;
    const name = quoted(term.column);
    terms.push(`NEW.${name} IS NOT OLD.${name} COLLATE ${quoted(term.collation)}`);
  }
  return terms.length === 1 ? (terms[0] ?? null) : `(${terms.join(' OR ')})`;
}

/** True for every row but the one being updated. */
function notTheUpdatedRow(table: CapturedTable): string {
  const name = quoted(table.name);
  if (table.rowid !== null) return `${name}.${table.rowid} <> OLD.${table.rowid}`;
  const primary = table.keys.find((key) => key.primary);
  const same = (primary?.terms ?? []).map(
    ({ column, collation }) =>
      `${name}.${quoted(column ?? '')} = OLD.${quoted(column ?? '')} COLLATE ${quoted(collation)}`,
  );
  return same.length === 0 ? '1' : `NOT (${same.join(' AND ')})`;
}

/** The triggers of a table whose changes are logged under `shape`. Their order among each other does not matter. */
export function captureTriggers(table: CapturedTable, shape: number): CaptureTriggers[] {
  const conflicts = conflictsOf(table);
  const noted = `EXISTS (SELECT 1 FROM _mag_replaced WHERE shape = ${shape})`;
  // Nothing was noted for nearly every row: a trigger of its own for it costs half of one that asks in its body.
  const plain = conflicts.length === 0 ? null : `NOT ${noted}`;
  const make = (
    kind: string,
    event: string,
    when: string | null,
    body: readonly string[],
  ): CaptureTriggers => {
    const name = `${TRIGGER_PREFIX}${kind}_${shape}`;
    const condition = when === null ? '' : ` WHEN ${when}`;
    const head = `CREATE TRIGGER ${quoted(name)} ${event} ON ${quoted(table.name)}${condition}`;
    return { name, sql: `${head} BEGIN ${body.map((statement) => `${statement}; `).join('')}END` };
  };
  const logged = {
    insert: logging(shape, 'NULL', rowJson(table, 'NEW')),
    update: logging(shape, rowJson(table, 'OLD'), rowJson(table, 'NEW')),
    delete: logging(shape, rowJson(table, 'OLD'), 'NULL'),
  };
  const triggers = [
    make('ai', 'AFTER INSERT', plain, [logged.insert]),
    make('au', 'AFTER UPDATE', plain, [logged.update]),
    make('ad', 'AFTER DELETE', plain, [logged.delete]),
  ];
  if (conflicts.length === 0) return triggers;
  const self = notTheUpdatedRow(table);
  const onUpdate = conflicts.map((conflict) => ({ ...conflict, holds: `${conflict.holds} AND ${self}` }));
  const inTheWay = (list: readonly Conflict[], ofUpdate: boolean): string =>
    [
      noted,
      ...list.map(({ holds, moved }) => {
        const held = `EXISTS (SELECT 1 FROM ${quoted(table.name)} WHERE ${holds})`;
        return ofUpdate && moved !== null ? `(${moved} AND ${held})` : held;
      }),
    ].join(' OR ');
  return [
    ...triggers,
    make('bi', 'BEFORE INSERT', inTheWay(conflicts, false), note(table, shape, conflicts)),
    make('bu', 'BEFORE UPDATE', inTheWay(onUpdate, true), note(table, shape, onUpdate)),
    make('ri', 'AFTER INSERT', noted, afterReplacingInsert(table, shape)),
    make('ru', 'AFTER UPDATE', noted, [logRemoved(table, shape), logged.update]),
    make('rd', 'AFTER DELETE', noted, [logged.delete, markDeleted(shape)]),
  ];
}

const logging = (shape: number, old: string, after: string): string =>
  `INSERT INTO _mag_changes(shape, at, old, new) VALUES (${shape}, ${NOW}, ${old}, ${after})`;

/** Notes who stands in the way, each row once though it may hold several keys. */
function note(table: CapturedTable, shape: number, conflicts: readonly Conflict[]): string[] {
  const name = quoted(table.name);
  const rowid = table.rowid === null ? 'NULL' : `${name}.${table.rowid}`;
  const earlier: string[] = [];
  const inserts = conflicts.map(({ holds, primary }) => {
    const only = earlier.map((condition) => ` AND (${condition}) IS NOT TRUE`).join('');
    earlier.push(holds);
    return `INSERT INTO _mag_replaced(shape, primary_key, rid, old)
      SELECT ${shape}, ${primary ? 1 : 0}, ${rowid}, ${rowJson(table, name)} FROM ${name} WHERE ${holds}${only}`;
  });
  return [`DELETE FROM _mag_replaced WHERE shape = ${shape}`, ...inserts];
}

/** Noted rows that the write really removed. BEFORE INSERT sees rowid -1 for one yet to be chosen, hence the check. */
function removed(table: CapturedTable, shape: number): string {
  const { rowid } = table;
  if (rowid === null) return `shape = ${shape}`;
  const name = quoted(table.name);
  return `shape = ${shape} AND (rid = NEW.${rowid}
    OR NOT EXISTS (SELECT 1 FROM ${name} WHERE ${name}.${rowid} = _mag_replaced.rid))`;
}

/** DELETEs of the removed rows that no delete trigger logged. */
const logRemoved = (table: CapturedTable, shape: number): string =>
  `INSERT INTO _mag_changes(shape, at, old) SELECT ${shape}, ${NOW}, old FROM _mag_replaced
    WHERE ${removed(table, shape)} AND deleted IS NULL`;

/** The row with the new one's primary key, else the first removed one, becomes the old row of an UPDATE. */
function afterReplacingInsert(table: CapturedTable, shape: number): string[] {
  const chosen = (column: string): string => `(SELECT ${column} FROM _mag_replaced
    WHERE ${removed(table, shape)} ORDER BY primary_key DESC, id LIMIT 1)`;
  return [
    `${logRemoved(table, shape)} AND id <> ${chosen('id')}`,
    // With recursive_triggers on, it was logged as a DELETE already: that goes, or where others came after it becomes a
    // hole, so that offsets stay in order.
    `DELETE FROM _mag_changes WHERE seq = ${chosen('deleted')} AND seq = (SELECT max(seq) FROM _mag_changes)`,
    `UPDATE _mag_changes SET shape = 0, old = NULL WHERE seq = ${chosen('deleted')}`,
    logging(shape, chosen('old'), rowJson(table, 'NEW')),
  ];
}

const markDeleted = (shape: number): string =>
  `UPDATE _mag_replaced SET deleted = last_insert_rowid() WHERE shape = ${shape}
    AND old = (SELECT old FROM _mag_changes WHERE seq = last_insert_rowid())`;
