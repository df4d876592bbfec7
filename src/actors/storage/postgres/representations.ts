import type { Param, SqlColumn, Value } from '../sql/dialect.ts';

/**
 * As PostgREST: a domain whose owner made implicit casts between it and json or text is shown and given as they have it.
 * The functions of the type `t`, by what they are for; NULL where there are none.
 */
export const REPRESENTATION = `
SELECT json_object_agg(
  CASE WHEN k.castsource = t.oid THEN 'toJson' WHEN k.castsource = 'pg_catalog.json'::pg_catalog.regtype THEN 'fromJson' ELSE 'fromText' END,
  quote_ident(fn.nspname) || '.' || quote_ident(f.proname))
FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_proc f ON f.oid = k.castfunc
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
WHERE k.castcontext = 'i' AND k.castmethod = 'f' AND has_function_privilege(k.castfunc, 'execute') AND (
  (k.castsource = t.oid AND k.casttarget = 'pg_catalog.json'::pg_catalog.regtype) OR
  (k.casttarget = t.oid AND k.castsource IN ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype)))`;

/** A value of the column as the outside sees it. */
export function shown(value: Value, { representation }: SqlColumn): Value {
  const toJson = representation?.toJson;
  return toJson === undefined ? value : { sql: `${toJson}(${value.sql})`, type: 'json', json: true };
}

/** A member of a body as it stands in the record that it is read to: its type there, and the column's value from it. */
export function given(name: string, { type, representation }: SqlColumn): { type: string; value: string } {
  const fromJson = representation?.fromJson;
  return fromJson === undefined ? { type, value: name } : { type: 'json', value: `${fromJson}(${name})` };
}

/** A placeholder as a value of its column. */
export function read(placeholder: string, param: Param): string {
  if (param.kind !== 'value' || param.column?.representation === undefined) return placeholder;
  const { fromJson, fromText } = param.column.representation;
  // The planner would work out a constant, and refuse a value that no row is to get.
  if (param.form === 'json' && fromJson !== undefined)
    return `(SELECT ${fromJson}(_.v) FROM (SELECT ${placeholder}::json AS v OFFSET 0) AS _)`;
  if (fromText === undefined) return placeholder;
  if (param.form === 'text') return `${fromText}(${placeholder}::text)`;
  return param.form === 'list' ? `(SELECT ${fromText}(unnest(${placeholder}::text[])))` : placeholder;
}
