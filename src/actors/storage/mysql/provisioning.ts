import { createHash } from 'node:crypto';
import { LIMITS } from '../../../limits.ts';
import type { CredentialMode } from '../../../protocol/credentials.ts';
import { credentialPrefix } from '../server-names.ts';
import type { MysqlConnection } from './connection.ts';
import { RECORDS_MARK, recordsDatabase, recordsSchema } from './idempotency-schema.ts';

const identifier = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const literal = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** In a grant `_` and `%` stand for any characters: other projects' databases would match. */
const pattern = (name: string): string => identifier(name.replaceAll(/[_%\\]/g, '\\$&'));

/**
 * What the server keeps of a password (`mysql_native_password`): sent in its place, so that the password itself stands in no
 * server's statement log. It has no salt, which a password of 256 random bits does not need.
 */
export function nativeHash(password: string): string {
  const once = createHash('sha1').update(password).digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}

/** What the server is, and what its administrator may do; asked once per server. */
export interface AdminRights {
  readonly version: string;
  readonly mariadb: boolean;
  /** Major and minor as one number, 1011 for 10.11. */
  readonly release: number;
  readonly createUser: boolean;
  /** May give other users the rights that a project needs. */
  readonly grants: boolean;
  /** May end other users' connections. */
  readonly kills: boolean;
  /** Logs statements and not rows, which our isolation level does not allow. */
  readonly logsStatements: boolean;
  /** Lets everybody into something: one project could leave there what another one finds. */
  readonly openToAll: boolean;
  /** Its largest packet, bytes. */
  readonly packetBytes: number;
}

export async function readRights(connection: MysqlConnection): Promise<AdminRights> {
  const [facts] = await connection.rows(
    `SELECT VERSION(), @@log_bin AND @@binlog_format = 'STATEMENT', @@max_allowed_packet`,
  );
  const version = String(facts?.[0] ?? '');
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const privileges = await connection.rows(
    `SELECT PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.USER_PRIVILEGES
     WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')`,
  );
  const held = new Set(privileges.map(([type]) => String(type)));
  const open = held.has('CREATE USER')
    ? await connection.rows(
        `SELECT 1 FROM mysql.user WHERE User = '' UNION SELECT 1 FROM mysql.db WHERE User IN ('', 'PUBLIC')`,
      )
    : [];
  return {
    version,
    mariadb: /mariadb/i.test(version),
    release: Number(major) * 100 + Number(minor),
    createUser: held.has('CREATE USER'),
    grants: privileges.some(([type, grantable]) => type === 'CREATE' && grantable === 'YES'),
    kills: held.has('SUPER') || held.has('CONNECTION ADMIN'),
    logsStatements: Number(facts?.[1]) === 1,
    openToAll: open.length > 0,
    packetBytes: Number(facts?.[2]),
  };
}

/** All that a project does in its own database; nothing in others, no files, no processes of others, no grants. */
const PROJECT_RIGHTS = [
  ...['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'ALTER', 'INDEX', 'REFERENCES'],
  ...['CREATE TEMPORARY TABLES', 'LOCK TABLES', 'EXECUTE', 'CREATE VIEW', 'SHOW VIEW'],
  ...['CREATE ROUTINE', 'ALTER ROUTINE', 'TRIGGER', 'DELETE HISTORY'],
].join(', ');

/** Text compares by code points, and a trailing space counts. */
const COLLATION = 'utf8mb4_nopad_bin';

/** Database, user and its rights. Each step may have been done before a kill. */
export async function provisionProject(
  connection: MysqlConnection,
  name: string,
  password: string,
): Promise<void> {
  const user = `${literal(name)}@'%'`;
  const attributes =
    `IDENTIFIED BY PASSWORD ${literal(nativeHash(password))} ` +
    `WITH MAX_USER_CONNECTIONS ${LIMITS.poolConnections * 2} ` +
    // Beyond the deadline that the sessions keep themselves: for one whose worker died.
    `MAX_STATEMENT_TIME ${(LIMITS.statementTimeoutMs * 2) / 1_000}`;
  await connection.rows(
    `CREATE DATABASE IF NOT EXISTS ${identifier(name)} CHARACTER SET utf8mb4 COLLATE ${COLLATION}`,
  );
  const records = identifier(recordsDatabase(name));
  for (const statement of recordsSchema(records, password)) await connection.rows(statement);
  // The user last: with it a project is reached, and then all else is there.
  await connection.rows(`CREATE USER IF NOT EXISTS ${user} ${attributes}`);
  await connection.rows(`ALTER USER ${user} ${attributes}`);
  await connection.rows(`GRANT ${PROJECT_RIGHTS} ON ${pattern(name)}.* TO ${user}`);
  for (const procedure of ['claim', 'settle'])
    await connection.rows(`GRANT EXECUTE ON PROCEDURE ${records}.${procedure} TO ${user}`);
  // An older version let the user itself at the records.
  const older = await connection.rows(
    `SELECT 1 FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = ${literal(recordsDatabase(name))}
       AND GRANTEE = CONCAT('''', ${literal(name)}, '''@''%''')`,
  );
  if (older.length > 0) await connection.rows(`REVOKE ALL ON ${records}.records FROM ${user}`);
}

/** Whether a project's records are as this version makes them; one that is not there has nothing to bring up. */
export async function isLaidOut(connection: MysqlConnection, name: string): Promise<boolean> {
  const records = literal(recordsDatabase(name));
  const rows = await connection.rows(
    `SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${records} AND 2 > (
       SELECT COUNT(*) FROM information_schema.ROUTINES
       WHERE ROUTINE_SCHEMA = ${records} AND ROUTINE_COMMENT = ${literal(RECORDS_MARK)})`,
  );
  return rows.length === 0;
}

/** What a credential of a mode may do in the project's database. */
const CREDENTIAL_RIGHTS: Readonly<Record<CredentialMode, string>> = {
  read: 'SELECT, SHOW VIEW',
  write: PROJECT_RIGHTS,
};

/** A user of the project's database for tools beside the board, or another password for it. Ends who is connected. */
export async function ensureCredential(
  connection: MysqlConnection,
  project: string,
  user: string,
  mode: CredentialMode,
  password: string,
): Promise<void> {
  const name = `${literal(user)}@'%'`;
  const attributes =
    `IDENTIFIED BY PASSWORD ${literal(nativeHash(password))} ` +
    `WITH MAX_USER_CONNECTIONS ${LIMITS.credentialConnections}`;
  await connection.rows(`CREATE USER IF NOT EXISTS ${name} ${attributes}`);
  await connection.rows(`ALTER USER ${name} ${attributes}`);
  await connection.rows(`GRANT ${CREDENTIAL_RIGHTS[mode]} ON ${pattern(project)}.* TO ${name}`);
  await endSessions(connection, user);
}

/** Drops a user and ends who is connected as it. */
export async function dropUser(connection: MysqlConnection, user: string): Promise<void> {
  await connection.rows(`DROP USER IF EXISTS ${literal(user)}@'%'`);
  await endSessions(connection, user);
}

async function endSessions(connection: MysqlConnection, user: string): Promise<void> {
  const { kills } = await readRights(connection);
  if (!kills) return;
  const sessions = await connection.rows(
    `SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ${literal(user)}`,
  );
  for (const [id] of sessions) await connection.rows(`KILL CONNECTION ${Number(id)}`).catch(() => {}); // It has ended meanwhile.
}

/** Drops users and database of a project, whichever of them there are, and ends who is connected. */
export async function dropProject(connection: MysqlConnection, name: string): Promise<void> {
  const others = (await findNames(connection, credentialPrefix(name))).filter((user) => user !== name);
  for (const user of [name, ...others]) await dropUser(connection, user);
  await connection.rows(`DROP DATABASE IF EXISTS ${identifier(name)}`);
  await connection.rows(`DROP DATABASE IF EXISTS ${identifier(recordsDatabase(name))}`);
}

/** Projects, by their name, of which a database or a user with this prefix is there. */
export async function findNames(connection: MysqlConnection, prefix: string): Promise<readonly string[]> {
  const begins = (column: string): string => `LEFT(${column}, ${prefix.length}) = ${literal(prefix)}`;
  const rows = await connection.rows(
    `SELECT CONVERT(SCHEMA_NAME USING utf8mb4) COLLATE utf8mb4_bin FROM information_schema.SCHEMATA WHERE ${begins('SCHEMA_NAME')}
     UNION SELECT CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin FROM mysql.user WHERE ${begins('User')}`,
  );
  return [...new Set(rows.map(([name]) => String(name).replace(/\$m$/, '')))];
}
