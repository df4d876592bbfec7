import type { ClientBase } from 'pg';
import type { Connection } from '../../../protocol/project.ts';
import { type Lsn, parseLsn } from './pgoutput.ts';

/** The project's database, as a role that may replicate and make publications for all tables (a superuser). */
export type AdminConnection = Extract<Connection, { engine: 'postgres' }>;

/** Publication of every project database. */
export const PUBLICATION = 'mag_feed';

/** Replication slot of a project; slots are the server's, so the name carries the project. */
export const feedSlotName = (ref: string): string => `mag_${ref}_feed`;

/** Tables that tenants made before the feed was activated; those made later are the event trigger's. */
const TABLES_WITHOUT_OLD_ROWS = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.relreplident <> 'f'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
    AND n.nspname NOT LIKE '\\_mag%'
  ORDER BY c.oid`;

/**
 * Runs as the tenant who makes a table, and so may do no more than the tenant. Their CREATE TABLE must not fail because
 * of us, so it only warns.
 */
const IDENTITY_FUNCTION = `
  CREATE OR REPLACE FUNCTION _mag.replica_identity() RETURNS event_trigger LANGUAGE plpgsql
  SET search_path = pg_catalog AS $body$
  DECLARE made record;
  BEGIN
    FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands()
      WHERE object_type = 'table' AND schema_name IS DISTINCT FROM 'pg_temp' LOOP
      BEGIN
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', made.object_identity);
      EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'old rows of % stay unknown to its followers: %', made.object_identity, SQLERRM;
      END;
    END LOOP;
  END $body$`;

/** Taking ACCESS EXCLUSIVE on a busy table must not queue every reader behind us for long. */
const LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s'";

/**
 * Makes the database tell its changes with whole old rows: an event trigger for tables to come, replica identity full
 * for those there are, and the publication. Idempotent. Rejects with the driver's error.
 */
export async function preparePublication(client: ClientBase): Promise<void> {
  const published = await client.query('SELECT 1 FROM pg_publication WHERE pubname = $1', [PUBLICATION]);
  if (published.rowCount !== 0) return;
  await client.query('BEGIN');
  try {
    await client.query(LOCK_TIMEOUT);
    await client.query('CREATE SCHEMA IF NOT EXISTS _mag');
    await client.query(IDENTITY_FUNCTION);
    await client.query('DROP EVENT TRIGGER IF EXISTS _mag_replica_identity');
    await client.query(`CREATE EVENT TRIGGER _mag_replica_identity ON ddl_command_end
      WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO') EXECUTE FUNCTION _mag.replica_identity()`);
    const tables = await client.query<{ name: string }>(TABLES_WITHOUT_OLD_ROWS);
    for (const { name } of tables.rows) await client.query(`ALTER TABLE ${name} REPLICA IDENTITY FULL`);
    await client.query(`CREATE PUBLICATION ${PUBLICATION} FOR ALL TABLES WITH (${await options(client)})`);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {}); // The first error is the one to tell.
    throw error;
  }
}

/** A partitioned table's changes are told as its own; stored generated columns are part of a row, where it can say so. */
async function options(client: ClientBase): Promise<string> {
  const version = await client.query<{ number: number }>(
    "SELECT current_setting('server_version_num')::int AS number",
  );
  const generated = (version.rows[0]?.number ?? 0) >= 180_000 ? ", publish_generated_columns = 'stored'" : '';
  return `publish_via_partition_root = true${generated}`;
}

export interface SlotState {
  /** Where the server will begin to send. */
  readonly confirmed: Lsn;
  /** The server gave up keeping what comes after it. */
  readonly lost: boolean;
}

/** Null where there is no such slot in this database. */
export async function readSlot(client: ClientBase, name: string): Promise<SlotState | null> {
  const found = await client.query<{
    lsn: string | null;
    wal_status: string | null;
  }>(
    `SELECT confirmed_flush_lsn AS lsn, wal_status FROM pg_replication_slots
     WHERE slot_name = $1 AND database = current_database()`,
    [name],
  );
  const row = found.rows[0];
  if (row === undefined) return null;
  return {
    confirmed: parseLsn(row.lsn ?? '0/0'),
    lost: row.lsn === null || row.wal_status === 'lost',
  };
}

/** Makes the slot; gives where its changes begin. Waits for transactions that are open now. */
export async function createSlot(client: ClientBase, name: string): Promise<Lsn> {
  const made = await client.query<{ lsn: string }>(
    "SELECT lsn FROM pg_create_logical_replication_slot($1, 'pgoutput')",
    [name],
  );
  return parseLsn(made.rows[0]?.lsn ?? '0/0');
}

/**
 * Ends the walsender that reads the slot: its client may have died without a word. Whoever else holds the slot for a
 * moment is an operator at work on it, and is left alone.
 */
export async function endReader(client: ClientBase, name: string): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(reader.pid, 2000) FROM pg_replication_slots AS slot
     JOIN pg_stat_activity AS reader ON reader.pid = slot.active_pid AND reader.backend_type = 'walsender'
     WHERE slot.slot_name = $1`,
    [name],
  );
}

/** Drops the slot in whatever database it is, ending who reads it. Idempotent. */
export async function dropSlot(client: ClientBase, name: string): Promise<void> {
  await endReader(client, name);
  await client.query(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
    [name],
  );
}

/** Names of the types that every database has under the same oid; the stream announces only the others. */
export async function builtinTypes(client: ClientBase): Promise<ReadonlyMap<number, string>> {
  const found = await client.query<{ oid: number; typname: string }>(
    'SELECT oid, typname FROM pg_type WHERE oid < 16384',
  );
  return new Map(found.rows.map(({ oid, typname }) => [oid, typname]));
}
