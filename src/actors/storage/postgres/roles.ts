import type { PgConnection } from './connection.ts';
import { isServerError } from './failures.ts';
import { RECORDS_LAID_OUT } from './idempotency-schema.ts';
import { identifier, literal } from './quoting.ts';

/**
 * The roles that requests run as, named as supabase's are: policies name them. They are the server's, shared by all of
 * its projects, hold nothing beyond what each project's own role grants them inside its database, and cannot log in.
 */
export const REQUEST_ROLES = ['anon', 'authenticated', 'service_role'] as const;
export type RequestRole = (typeof REQUEST_ROLES)[number];

const EVERYONE = REQUEST_ROLES.join(', ');
const NAMES = `('${REQUEST_ROLES.join("', '")}')`;

/** Tells the roles that a board made from a stranger's of the same names. */
const MARK = 'MagMoBo: requests run as this role';

/**
 * Makes those that are missing; another board on the same server may be doing the same. Gives whether all of them are a
 * board's. A stranger's are never granted: they may have rights in databases of the stranger's.
 */
export async function ensureRequestRoles(connection: PgConnection, mayBypass: boolean): Promise<boolean> {
  const known = await requestRoles(connection);
  const missing = REQUEST_ROLES.filter((role) => !known.has(role));
  for (const role of missing) {
    const bypass = role === 'service_role' && mayBypass ? ' BYPASSRLS' : '';
    await connection.rows(
      `DO $$ BEGIN CREATE ROLE ${role} NOLOGIN NOINHERIT${bypass}; COMMENT ON ROLE ${role} IS '${MARK}';
       EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    );
  }
  const now = missing.length === 0 ? known : await requestRoles(connection);
  return REQUEST_ROLES.every((role) => now.get(role) === true);
}

/** Those that there are, and whether a board made them. */
async function requestRoles(connection: PgConnection): Promise<ReadonlyMap<string | null, boolean>> {
  const rows = await connection.rows(
    `SELECT rolname::text, pg_catalog.shobj_description(oid, 'pg_authid') IS NOT DISTINCT FROM '${MARK}'
     FROM pg_catalog.pg_roles WHERE rolname IN ${NAMES}`,
  );
  return new Map(rows.map(([name, isOurs]) => [name ?? null, isOurs === 't']));
}

/** A project's role may become them, and inherits nothing of theirs by itself. */
export const grantOfRequestRoles = (plainName: string): string =>
  `GRANT ${EVERYONE} TO ${identifier(plainName)}`;

/**
 * As an administrator who may not be allowed to grant those of another. The project's role becomes none of them then, as
 * `requestRolesOf` says.
 */
export async function grantRequestRoles(connection: PgConnection, plainName: string): Promise<void> {
  try {
    await connection.rows(grantOfRequestRoles(plainName));
  } catch (error) {
    if (!isServerError(error) || error.code !== '42501') throw error;
  }
}

/** Which of them a project's role may become; service_role only where it passes row level security. */
export async function requestRolesOf(
  connection: PgConnection,
  plainName: string,
): Promise<readonly RequestRole[]> {
  const rows = await connection.rows(
    `SELECT r.rolname::text FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_auth_members m ON m.roleid = r.oid
     WHERE m.member = ${literal(identifier(plainName))}::pg_catalog.regrole
       AND (r.rolname IN ('anon', 'authenticated') OR r.rolname = 'service_role' AND r.rolbypassrls)`,
  );
  const names = new Set(rows.map(([name]) => name));
  return REQUEST_ROLES.filter((role) => names.has(role));
}

/** Grows when `layOut` does more than it did: older databases are brought up to it when they are next reached. */
const LAYOUT = 'MagMoBo layout 1';

/** What a request's settings say of who asks, as supabase's functions of these names do. */
const AUTH = `
CREATE FUNCTION auth.jwt() RETURNS pg_catalog.jsonb LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb $$;
CREATE FUNCTION auth.uid() RETURNS pg_catalog.uuid LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT (nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 'sub')::pg_catalog.uuid $$;
CREATE FUNCTION auth.role() RETURNS pg_catalog.text LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 'role' $$;
CREATE FUNCTION auth.email() RETURNS pg_catalog.text LANGUAGE sql STABLE PARALLEL SAFE AS
  $$ SELECT nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 'email' $$;
GRANT USAGE ON SCHEMA auth TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA auth TO PUBLIC`;

/** Makes usable what the project's role makes from now on: PostgreSQL's layer, as supabase sets it. */
function defaultPrivileges(name: string): readonly string[] {
  const of = `ALTER DEFAULT PRIVILEGES FOR ROLE ${name}`;
  return ['TABLES', 'SEQUENCES', 'FUNCTIONS'].flatMap((kind) => [
    `${of} IN SCHEMA public GRANT ALL ON ${kind} TO ${EVERYONE}`,
    // The service key reaches every schema, as it did when it ran as the owner.
    `${of} GRANT ALL ON ${kind} TO service_role`,
  ]);
}

/** Grants on what the project's role made before there were these roles; one statement a thing. */
const EXISTING = (owner: string): string => `
SELECT pg_catalog.format('GRANT ALL ON TABLE %I.%I TO %s', n.nspname, c.relname, r.roles)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
  LATERAL (SELECT CASE n.nspname WHEN 'public' THEN '${EVERYONE}' ELSE 'service_role' END) r(roles)
WHERE c.relowner = ${owner} AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
UNION ALL SELECT pg_catalog.format('GRANT ALL ON SEQUENCE %I.%I TO %s', n.nspname, c.relname, r.roles)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
  LATERAL (SELECT CASE n.nspname WHEN 'public' THEN '${EVERYONE}' ELSE 'service_role' END) r(roles)
WHERE c.relowner = ${owner} AND c.relkind = 'S'
UNION ALL SELECT pg_catalog.format('GRANT USAGE ON SCHEMA %I TO service_role', n.nspname)
FROM pg_catalog.pg_namespace n WHERE n.nspowner = ${owner} AND n.nspname !~ '^pg_'`;

/** Whether a project's database is as this version makes it. */
export async function isLaidOut(connection: PgConnection): Promise<boolean> {
  const rows = await connection.rows(
    `SELECT pg_catalog.obj_description(pg_catalog.to_regnamespace('_mag')::oid, 'pg_namespace') = '${LAYOUT}'
       AND ${RECORDS_LAID_OUT}`,
  );
  return rows[0]?.[0] === 't';
}

/**
 * Inside the project's database, as its administrator, once: what the tenant takes back afterwards stays taken back.
 * One transaction, the mark of its end in it. A schema `auth` that the tenant made before stays the tenant's.
 */
export async function layOut(connection: PgConnection, plainName: string): Promise<void> {
  const owner = `${literal(identifier(plainName))}::pg_catalog.regrole`;
  const known = await connection.rows(
    `SELECT pg_catalog.obj_description(pg_catalog.to_regnamespace('_mag')::oid, 'pg_namespace'),
            pg_catalog.to_regnamespace('auth') IS NOT NULL`,
  );
  const [mark, hasAuth] = known[0] ?? [];
  if (mark === LAYOUT) return;
  const existing = await connection.rows(EXISTING(owner));
  const grants = existing.flatMap(([statement]) => (typeof statement === 'string' ? [statement] : []));
  await connection.rows(layout(plainName, { grants, hasAuth: hasAuth === 't' }).join(';'));
}

/** What a tenant may have made before the layout: grants that it calls for, and whether it has a schema `auth`. */
interface Before {
  readonly grants: readonly string[];
  readonly hasAuth: boolean;
}

/** A database that was made just now. */
export const NOTHING_YET: Before = { grants: [], hasAuth: false };

/** The statements of it, for one transaction. */
export function layout(plainName: string, { grants, hasAuth }: Before): readonly string[] {
  const name = identifier(plainName);
  return [
    `GRANT USAGE ON SCHEMA public TO ${EVERYONE}`,
    ...defaultPrivileges(name),
    `ALTER DEFAULT PRIVILEGES FOR ROLE ${name} GRANT USAGE ON SCHEMAS TO service_role`,
    ...grants,
    ...(hasAuth ? [] : ['CREATE SCHEMA auth', AUTH]),
    `COMMENT ON SCHEMA _mag IS '${LAYOUT}'`,
  ];
}
