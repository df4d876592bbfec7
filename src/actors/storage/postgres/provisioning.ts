import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { LIMITS } from '../../../limits.ts';
import type { PgConnection } from './connection.ts';
import { recordsLayout } from './idempotency-schema.ts';
import { credentialRoles } from './native-access.ts';
import { identifier, literal } from './quoting.ts';
import {
  ensureRequestRoles,
  grantOfRequestRoles,
  grantRequestRoles,
  layOut,
  layout,
  NOTHING_YET,
  type RequestRole,
  requestRolesOf,
} from './roles.ts';

const SCRAM_ITERATIONS = 4_096;

/**
 * What the server keeps of a password (RFC 5803): sent in its place, so that the password itself stands in no
 * server's statement log. The password is as random as a salt would be, so the salt may follow from it.
 */
export function scramVerifier(password: string): string {
  const salt = createHash('sha256').update(`salt:${password}`).digest().subarray(0, 16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const key = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest('base64');
  const server = key('Server Key').toString('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${stored}:${server}`;
}

/** What the administrating role may do, asked once per server. */
export interface AdminRights {
  readonly superuser: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  readonly replication: boolean;
  /** Whether it may make a role that passes row level security. */
  readonly bypassRls: boolean;
  /** server_version_num, 180004. */
  readonly version: number;
  readonly walLevel: string;
}

export async function readRights(connection: PgConnection): Promise<AdminRights> {
  const [row] = await connection.rows(
    `SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, current_setting('server_version_num'), current_setting('wal_level'), rolbypassrls
     FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  );
  const [superuser, createRole, createDatabase, replication, version, walLevel, bypass] = row ?? [];
  return {
    superuser: superuser === 't',
    createRole: createRole === 't',
    createDatabase: createDatabase === 't',
    replication: replication === 't',
    bypassRls: superuser === 't' || bypass === 't',
    version: Number(version ?? 0),
    walLevel: walLevel ?? '',
  };
}

/** What came of the server's part of a provisioning. */
export interface Provisioned {
  /** Whether the database was made just now, so that nothing is in it yet. */
  readonly isNew: boolean;
  /** The roles that the project's may become for a request. */
  readonly roles: readonly RequestRole[];
}

/**
 * On the server's maintenance database: role and database. Each step may have been done before a kill. A new database
 * is copied through the log, PostgreSQL's default: copying the template's files instead costs an fsync for each of its
 * three hundred, and two checkpoints that everybody else's writes pay for.
 */
export async function provisionServer(
  connection: PgConnection,
  plainName: string,
  password: string,
  rights: AdminRights,
): Promise<Provisioned> {
  const name = identifier(plainName);
  const { hasRole, hasDatabase } = await existing(connection, plainName);
  const isNew = !hasDatabase;
  const attributes =
    'LOGIN NOCREATEDB NOCREATEROLE NOINHERIT' +
    (rights.superuser ? ' NOSUPERUSER NOREPLICATION NOBYPASSRLS' : '') +
    ` CONNECTION LIMIT ${LIMITS.poolConnections * 2} PASSWORD ${literal(scramVerifier(password))}`;
  const areOurs = await ensureRequestRoles(connection, rights.bypassRls);
  // One transaction for everything about the role; the database cannot be made inside one.
  await inOne(connection, isNew, [
    `${hasRole ? 'ALTER' : 'CREATE'} ROLE ${name} ${attributes}`,
    `ALTER ROLE ${name} RESET ALL`,
    `ALTER ROLE ${name} SET statement_timeout = ${LIMITS.statementTimeoutMs}`,
    `ALTER ROLE ${name} SET idle_in_transaction_session_timeout = ${LIMITS.statementTimeoutMs}`,
    ...(rights.superuser
      ? [`ALTER ROLE ${name} SET temp_file_limit = '${LIMITS.tempFileBytes / 1024}kB'`]
      : []),
    // A non-superuser may hand objects only to roles it belongs to.
    ...(rights.superuser ? [] : [`GRANT ${name} TO CURRENT_USER`]),
    // Nobody can refuse a superuser this, which would take the rest along.
    ...(rights.superuser && areOurs ? [grantOfRequestRoles(plainName)] : []),
  ]);
  if (!rights.superuser && areOurs) await grantRequestRoles(connection, plainName);
  if (isNew) await connection.rows(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
  // The database stays the administrator's: its owner could open it to others. And whoever administers it finds
  // no function of the tenant's by accident, which would run in the administrator's name.
  await inOne(connection, isNew, [
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
    `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${name} TO ${name}`,
    `ALTER ROLE ${name} IN DATABASE ${name} RESET ALL`,
    `ALTER ROLE CURRENT_USER IN DATABASE ${name} SET search_path = pg_catalog`,
  ]);
  return { isNew, roles: await requestRolesOf(connection, plainName) };
}

async function existing(
  connection: PgConnection,
  name: string,
): Promise<{ readonly hasRole: boolean; readonly hasDatabase: boolean }> {
  const [row] = await connection.rows(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(name)}),
            EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ${literal(name)})`,
  );
  return { hasRole: row?.[0] === 't', hasDatabase: row?.[1] === 't' };
}

/** Whether a project's role and database are there. */
export async function projectStands(connection: PgConnection, name: string): Promise<boolean> {
  const { hasRole, hasDatabase } = await existing(connection, name);
  return hasRole && hasDatabase;
}

/**
 * One transaction. Of a database that is being made it need not be durable by itself: what is written inside the
 * database at last is, and the log before it with it.
 */
async function inOne(connection: PgConnection, isNew: boolean, statements: readonly string[]): Promise<void> {
  const first = isNew ? ['SET LOCAL synchronous_commit TO off'] : [];
  await connection.rows([...first, ...statements].join(';'));
}

/**
 * Inside the project's database: its role owns the schema public, and nobody else has a part in it. The schema of the
 * change feed is made before the tenant could make one of that name, and put its own functions there.
 */
export async function provisionDatabase(
  connection: PgConnection,
  plainName: string,
  password: string,
  isNew: boolean,
): Promise<void> {
  const name = identifier(plainName);
  const statements = [
    // What is made here was looked at by tests; looking anew loads a language into a session that ends at once.
    'SET LOCAL check_function_bodies TO off',
    `CREATE SCHEMA IF NOT EXISTS _mag; REVOKE ALL ON SCHEMA _mag FROM PUBLIC; ALTER SCHEMA public OWNER TO ${name}; REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO ${name}`,
    ...recordsLayout(plainName, password),
  ];
  if (isNew) statements.push(...layout(plainName, NOTHING_YET));
  await connection.rows(statements.join(';'));
  if (!isNew) await layOut(connection, plainName);
}

/** Drops slots, database and role of a project, whichever of them there are. */
export async function dropProject(connection: PgConnection, name: string): Promise<void> {
  const slots = await connection.rows(
    `SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE database = ${literal(name)}`,
  );
  for (const [slot] of slots) await dropSlot(connection, slot ?? '');
  await connection.rows(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`);
  for (const role of await credentialRoles(connection, name))
    await connection.rows(`DROP ROLE IF EXISTS ${identifier(role)}`);
  await connection.rows(`DROP ROLE IF EXISTS ${identifier(name)}`);
}

const SLOT_TRIES = 50;

/** Ends whoever reads the slot, then drops it; the reader's end takes the server a moment. */
async function dropSlot(connection: PgConnection, slot: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await connection.rows(
        `SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots
         WHERE slot_name = ${literal(slot)} AND active_pid IS NOT NULL`,
      );
      await connection.rows(
        `SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots
         WHERE slot_name = ${literal(slot)}`,
      );
      return;
    } catch (error) {
      if (attempt === SLOT_TRIES) throw error;
      await connection.rows('SELECT pg_catalog.pg_sleep(0.02)');
    }
  }
}

/** Databases and roles with this prefix; a replication slot never outlives its database. */
export async function findNames(connection: PgConnection, prefix: string): Promise<readonly string[]> {
  const rows = await connection.rows(
    `SELECT datname::text FROM pg_catalog.pg_database WHERE starts_with(datname::text, ${literal(prefix)})
     UNION SELECT rolname::text FROM pg_catalog.pg_roles WHERE starts_with(rolname::text, ${literal(prefix)})`,
  );
  return rows.flatMap(([name]) => (typeof name === 'string' ? [name] : []));
}
