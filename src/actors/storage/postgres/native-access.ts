import { LIMITS } from '../../../limits.ts';
import type { CredentialMode } from '../../../protocol/credentials.ts';
import { credentialPrefix, credentialUser } from '../server-names.ts';
import type { PgConnection } from './connection.ts';
import { type AdminRights, scramVerifier } from './provisioning.ts';
import { identifier, literal } from './quoting.ts';

/**
 * On the maintenance database: the login. With `write` it acts as the project's own role, so that what it makes is the
 * project's; with `read` it passes row level security where the administrator may grant that, since a policy would
 * hide from a tool that counts what it is there to count.
 */
export async function ensureLogin(
  connection: PgConnection,
  project: string,
  id: string,
  mode: CredentialMode,
  password: string,
  rights: AdminRights,
): Promise<void> {
  const plain = credentialUser(project, id);
  const name = identifier(plain);
  const [row] = await connection.rows(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(plain)})`,
  );
  const verb = row?.[0] === 't' ? 'ALTER' : 'CREATE';
  const bypass = rights.bypassRls ? (mode === 'read' ? ' BYPASSRLS' : ' NOBYPASSRLS') : '';
  const attributes = `LOGIN INHERIT NOCREATEDB NOCREATEROLE${bypass} CONNECTION LIMIT ${LIMITS.credentialConnections}`;
  const database = identifier(project);
  await connection.rows(
    [
      `${verb} ROLE ${name} ${attributes} PASSWORD ${literal(scramVerifier(password))}`,
      `ALTER ROLE ${name} RESET ALL`,
      `ALTER ROLE ${name} SET idle_in_transaction_session_timeout = ${LIMITS.statementTimeoutMs}`,
      ...(rights.superuser
        ? [`ALTER ROLE ${name} SET temp_file_limit = '${LIMITS.tempFileBytes / 1024}kB'`]
        : []),
      ...(rights.superuser ? [] : [`GRANT ${name} TO CURRENT_USER`]),
      `GRANT CONNECT ON DATABASE ${database} TO ${name}`,
      ...(mode === 'write'
        ? [
            `GRANT ${database} TO ${name}`,
            `ALTER ROLE ${name} IN DATABASE ${database} SET role = ${literal(project)}`,
          ]
        : [`ALTER ROLE ${name} SET default_transaction_read_only = on`]),
    ].join(';'),
  );
  await endSessions(connection, plain);
}

/** Inside the project's database: what it may read, now and of what the project makes later. */
export async function allowReading(connection: PgConnection, project: string, id: string): Promise<void> {
  const name = identifier(credentialUser(project, id));
  const owner = `${literal(identifier(project))}::pg_catalog.regrole`;
  const grants = await connection.rows(
    `SELECT pg_catalog.format('GRANT USAGE ON SCHEMA %1$I TO ${name.replaceAll('%', '%%').replaceAll("'", "''")}', n.nspname),
            pg_catalog.format('GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO ${name.replaceAll('%', '%%').replaceAll("'", "''")}', n.nspname)
     FROM pg_catalog.pg_namespace n WHERE n.nspowner = ${owner} AND n.nspname !~ '^pg_'`,
  );
  const of = `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(project)}`;
  await connection.rows(
    [
      ...grants.flatMap((row) => row.map((statement) => statement ?? '')),
      `${of} GRANT SELECT ON TABLES TO ${name}`,
      `${of} GRANT USAGE ON SCHEMAS TO ${name}`,
    ].join(';'),
  );
}

/** Inside the project's database: takes back what it was given there. */
export async function dropPrivileges(connection: PgConnection, project: string, id: string): Promise<void> {
  const plain = credentialUser(project, id);
  await connection.rows(
    `DO $do$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(plain)})
     THEN DROP OWNED BY ${identifier(plain)}; END IF; END $do$`,
  );
}

/** On the maintenance database, after `dropPrivileges`: the login, and who is connected with it. */
export async function dropLogin(connection: PgConnection, project: string, id: string): Promise<void> {
  const plain = credentialUser(project, id);
  await endSessions(connection, plain);
  await connection.rows(
    `DO $do$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(plain)})
     THEN DROP OWNED BY ${identifier(plain)}; DROP ROLE ${identifier(plain)}; END IF; END $do$`,
  );
}

/** Roles of a project beside its own. */
export async function credentialRoles(connection: PgConnection, project: string): Promise<readonly string[]> {
  const rows = await connection.rows(
    `SELECT rolname::text FROM pg_catalog.pg_roles WHERE starts_with(rolname::text, ${literal(credentialPrefix(project))})`,
  );
  return rows.flatMap(([name]) => (typeof name === 'string' ? [name] : []));
}

/** A new password ends the sessions of the old one, and no role goes while somebody is connected with it. */
async function endSessions(connection: PgConnection, role: string): Promise<void> {
  await connection.rows(
    `SELECT pg_catalog.pg_terminate_backend(pid, ${LIMITS.cancelGraceMs}) FROM pg_catalog.pg_stat_activity WHERE usename = ${literal(role)}`,
  );
}
