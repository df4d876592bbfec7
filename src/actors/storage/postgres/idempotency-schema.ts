import { createHash, createHmac } from 'node:crypto';
import { LIMITS } from '../../../limits.ts';
import { identifier, literal } from './quoting.ts';

/** Grows when what is made below changes: older databases are brought up to it when they are next reached. */
const MARK = 'MagMoBo records 2';

/**
 * What opens a project's records. A tenant's own SQL runs as the same role as the board's requests: what the role may
 * do, the tenant may. So the role may do nothing with the records but call two functions, which ask for this; it goes
 * as a bound value, which no view of the server's shows, and the server keeps its digest alone.
 * @param password of the project's own role, which no tenant knows.
 */
export const recordsToken = (password: string): string =>
  createHmac('sha256', password).update('idempotency records').digest('base64url');

/** Refuses whoever does not know the token. It is as random as a key, so its digest tells nothing of it. */
const guard = (token: string): string => {
  const digest = createHash('sha256').update(token).digest('hex');
  return `IF pg_catalog.sha256(pg_catalog.convert_to(given_token, 'UTF8')) <> '\\x${digest}'::pg_catalog.bytea THEN
    RAISE insufficient_privilege USING MESSAGE = 'the idempotency records are the board''s';
  END IF;`;
};

/** What its body finds is pg_catalog's, whatever the caller has made and put on its own path. */
const DEFINER = 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp';

/**
 * One claim in one call: `made`, `known` with what the earlier run left, or `held` by a transaction under way. The lock
 * ends with the transaction; whoever does not get it must not wait, since it would hold a connection meanwhile. Nobody
 * without the token can tell which lock it is.
 */
const CLAIM = (token: string): string => `
CREATE OR REPLACE FUNCTION _mag_idempotency.claim(
  given_token text, given_key text, given_fingerprint text, given_expires int8, given_now int8, given_trim bool,
  OUT state text, OUT known_fingerprint text, OUT known_result text) ${DEFINER} AS $body$
DECLARE excess int8;
BEGIN
  ${guard(token)}
  state := 'held';
  IF NOT pg_try_advisory_xact_lock(hashtextextended(given_token || given_key, 0)) THEN RETURN; END IF;
  INSERT INTO _mag_idempotency.records AS r (key, fingerprint, expires, result)
    VALUES (given_key, given_fingerprint, given_expires, '')
    ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, expires = excluded.expires, result = ''
    WHERE r.expires <= given_now;
  IF NOT FOUND THEN
    SELECT r.fingerprint, r.result INTO known_fingerprint, known_result
      FROM _mag_idempotency.records r WHERE r.key = given_key;
    -- Swept away in between: the next try makes it anew.
    IF FOUND THEN state := 'known'; END IF;
    RETURN;
  END IF;
  state := 'made';
  DELETE FROM _mag_idempotency.records r WHERE r.key IN (
    SELECT o.key FROM _mag_idempotency.records o WHERE o.expires <= given_now AND o.key <> given_key
    ORDER BY o.expires LIMIT ${LIMITS.idempotencySweep} FOR UPDATE SKIP LOCKED);
  IF NOT given_trim THEN RETURN; END IF;
  SELECT least(count(*) - ${LIMITS.idempotencyRecords}, ${LIMITS.idempotencyTrimEvery * 2}) INTO excess
    FROM _mag_idempotency.records;
  IF excess <= 0 THEN RETURN; END IF;
  DELETE FROM _mag_idempotency.records r WHERE r.key IN (
    SELECT o.key FROM _mag_idempotency.records o ORDER BY o.expires LIMIT excess FOR UPDATE SKIP LOCKED);
END $body$`;

const SETTLE = (token: string): string => `
CREATE OR REPLACE FUNCTION _mag_idempotency.settle(given_token text, given_key text, given_result text)
RETURNS void ${DEFINER} AS $body$
BEGIN
  ${guard(token)}
  UPDATE _mag_idempotency.records r SET result = given_result WHERE r.key = given_key;
END $body$`;

/**
 * Inside a project's database: where its idempotency records are. The administrator's, so that no role of the tenant's
 * can make it another thing, read it or take from it. Idempotent; statements for one transaction,
 * the mark of its end last.
 */
export function recordsLayout(plainName: string, password: string): readonly string[] {
  const role = identifier(plainName);
  const token = recordsToken(password);
  return [
    'CREATE SCHEMA IF NOT EXISTS _mag_idempotency',
    'REVOKE ALL ON SCHEMA _mag_idempotency FROM PUBLIC',
    `CREATE TABLE IF NOT EXISTS _mag_idempotency.records
         (key text PRIMARY KEY, fingerprint text NOT NULL, expires bigint NOT NULL, result text NOT NULL)`,
    'CREATE INDEX IF NOT EXISTS records_expires ON _mag_idempotency.records (expires)',
    ...[CLAIM(token), SETTLE(token)],
    // An older version let the role itself at the records.
    `REVOKE ALL ON _mag_idempotency.records FROM PUBLIC, ${role}`,
    'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA _mag_idempotency FROM PUBLIC',
    `GRANT USAGE ON SCHEMA _mag_idempotency TO ${role}`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA _mag_idempotency TO ${role}`,
    `COMMENT ON SCHEMA _mag_idempotency IS ${literal(MARK)}`,
  ];
}

/** Whether a project's records are as this version makes them, as a condition. */
export const RECORDS_LAID_OUT = `pg_catalog.obj_description(
  pg_catalog.to_regnamespace('_mag_idempotency')::oid, 'pg_namespace') IS NOT DISTINCT FROM ${literal(MARK)}`;
