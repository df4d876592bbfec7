import { createHash, createHmac } from 'node:crypto';
import { LIMITS } from '../../../limits.ts';

/**
 * The database of a project's idempotency records: the administrator's, so that nothing of the tenant's can make it
 * another thing. Writes in both databases are one transaction. No reference holds a `$`.
 */
export const recordsDatabase = (name: string): string => `${name}$m`;

/** Grows when what is made below changes: older projects are brought up to it when they are next reached. */
export const RECORDS_MARK = 'MagMoBo records 2';

/**
 * What the board signs its calls on a project's records with. A tenant's own SQL runs as the same user as the board's
 * requests: what the user may do, the tenant may. So the user may do nothing with the records but call two procedures,
 * and these do only what is signed. The secret itself never goes over a connection of the project's: while a statement
 * runs, its user sees its text and its values in the list of processes.
 * @param password of the project's own user, which no tenant knows.
 */
export const recordsSecret = (password: string): string =>
  createHmac('sha256', password).update('idempotency records').digest('hex');

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** HMAC would take two keys; a hash of a hash under one is as good where both have one length. */
export const signature = (secret: string, parts: readonly string[]): string =>
  sha256(secret + sha256(`${secret}${parts.join(':')}`));

const literal = (text: string): string => `'${text}'`;

/** Ends the call unless the arguments are as they were signed. No statement of its own sees the secret. */
const guard = (database: string, parts: readonly string[]): string => `
  IF NOT EXISTS (SELECT 1 FROM ${database}.secret WHERE given_signature =
      SHA2(CONCAT(secret, SHA2(CONCAT(secret, CONCAT_WS(':', ${parts.join(', ')})), 256)), 256)) THEN
    SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1142, MESSAGE_TEXT = 'the idempotency records are the board''s';
  END IF;`;

/**
 * One claim in one call, which gives one row: `made`, `known` with what the earlier run left, or `held` by a transaction
 * under way. Called so that it waits for no lock: it would hold a connection meanwhile. What another transaction holds
 * of the expired ones is left to the next claim.
 */
const CLAIM = (database: string): string => `CREATE OR REPLACE PROCEDURE ${database}.claim(
  given_signature char(64), given_key varchar(200), given_fingerprint varchar(200), given_expires bigint,
  given_now bigint, given_trim int)
SQL SECURITY DEFINER MODIFIES SQL DATA COMMENT ${literal(RECORDS_MARK)}
work: BEGIN
  DECLARE is_taken, is_known int DEFAULT 0;
  DECLARE excess bigint DEFAULT 0;
  DECLARE EXIT HANDLER FOR 1205 SELECT 'held', NULL, NULL;
  ${guard(database, ["'claim'", 'given_key', 'given_fingerprint', 'given_expires', 'given_now', 'given_trim'])}
  BEGIN
    DECLARE CONTINUE HANDLER FOR 1062 SET is_taken = 1;
    INSERT INTO ${database}.records (k, fingerprint, expires, result)
      VALUES (given_key, given_fingerprint, given_expires, '');
  END;
  IF is_taken THEN
    SELECT COUNT(*), COALESCE(MAX(expires > given_now), 0) INTO is_taken, is_known
      FROM ${database}.records WHERE k = given_key FOR UPDATE;
    -- Swept away in between: the next try makes it anew.
    IF NOT is_taken THEN SELECT 'held', NULL, NULL; LEAVE work; END IF;
    IF is_known THEN
      SELECT 'known', fingerprint, result FROM ${database}.records WHERE k = given_key;
      LEAVE work;
    END IF;
    UPDATE ${database}.records SET fingerprint = given_fingerprint, expires = given_expires, result = ''
      WHERE k = given_key;
  END IF;
  BEGIN
    DECLARE CONTINUE HANDLER FOR 1205 SET is_taken = 1;
    DELETE FROM ${database}.records WHERE expires <= given_now AND k <> given_key
      ORDER BY expires LIMIT ${LIMITS.idempotencySweep};
    IF given_trim THEN
      SELECT LEAST(COUNT(*) - ${LIMITS.idempotencyRecords}, ${LIMITS.idempotencyTrimEvery * 2}) INTO excess
        FROM ${database}.records;
      IF excess > 0 THEN
        DELETE FROM ${database}.records WHERE k <> given_key ORDER BY expires LIMIT excess;
      END IF;
    END IF;
  END;
  SELECT 'made', NULL, NULL;
END`;

const SETTLE = (database: string): string => `CREATE OR REPLACE PROCEDURE ${database}.settle(
  given_signature char(64), given_key varchar(200), given_result longtext)
SQL SECURITY DEFINER MODIFIES SQL DATA COMMENT ${literal(RECORDS_MARK)}
BEGIN
  ${guard(database, ["'settle'", 'given_key', 'given_result'])}
  UPDATE ${database}.records SET result = given_result WHERE k = given_key;
END`;

/**
 * Statements that make a project's records. Idempotent.
 * @param database quoted.
 */
export const recordsSchema = (database: string, password: string): readonly string[] => [
  `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin`,
  `CREATE TABLE IF NOT EXISTS ${database}.records (k varchar(200) PRIMARY KEY, fingerprint varchar(200) NOT NULL,
    expires bigint NOT NULL, result longtext NOT NULL, INDEX (expires)) ENGINE = InnoDB`,
  `CREATE TABLE IF NOT EXISTS ${database}.secret (one int PRIMARY KEY CHECK (one = 1), secret char(64) NOT NULL)`,
  `REPLACE INTO ${database}.secret VALUES (1, ${literal(recordsSecret(password))})`,
  ...[CLAIM(database), SETTLE(database)],
];
