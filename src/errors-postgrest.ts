export interface ErrorEntry {
  /** HTTP status where the error reaches an HTTP client. */
  readonly status: number;
  /** Message template; `{name}` is filled from the parameters. */
  readonly message: string;
  /** What the reader can do about it, or null. */
  readonly hint: string | null;
}

export const entry = (status: number, message: string, hint: string | null = null): ErrorEntry => ({
  status,
  message,
  hint,
});

/** PostgREST's own codes, which its clients know. Part of the registry in errors.ts. */
export const POSTGREST_ERRORS = {
  PGRST100: entry(400, '"failed to parse {what}" (line 1, column {column})'),
  PGRST101: entry(405, 'Cannot use the {method} method on RPC'),
  PGRST102: entry(400, '{problem}'),
  PGRST103: entry(416, 'Requested range not satisfiable'),
  PGRST105: entry(405, "Filters must include all and only primary key columns with 'eq' operators"),
  PGRST106: entry(406, 'Invalid schema: {schema}', 'Only the following schemas are exposed: {schemas}'),
  PGRST107: entry(406, 'None of these media types are available: {types}'),
  PGRST108: entry(
    400,
    "'{relation}' is not an embedded resource in this request",
    "Verify that '{relation}' is included in the 'select' query parameter.",
  ),
  PGRST111: entry(
    500,
    'response.headers guc must be a JSON array composed of objects with a single key and a string value',
  ),
  PGRST112: entry(500, 'response.status guc must be a valid status code'),
  PGRST114: entry(400, 'limit/offset querystring parameters are not allowed for PUT'),
  PGRST115: entry(400, 'Payload values do not match URL in primary key column(s)'),
  PGRST116: entry(406, 'Cannot coerce the result to a single JSON object', null),
  PGRST118: entry(400, "A related order on '{relation}' is not possible", null),
  PGRST121: entry(500, 'Could not parse JSON in the "RAISE SQLSTATE \'PGRST\'" error', '{form}'),
  PGRST122: entry(400, 'Invalid preferences given with handling=strict'),
  PGRST123: entry(400, 'Use of aggregate functions is not allowed'),
  PGRST124: entry(400, 'Query result exceeds max-affected preference constraint', null),
  PGRST125: entry(404, 'Invalid path specified in request URL'),
  PGRST127: entry(400, 'Feature not implemented'),
  PGRST128: entry(
    400,
    'Function must return SETOF or TABLE when max-affected preference is used with handling=strict',
  ),
  PGRST200: entry(
    400,
    "Could not find a relationship between '{origin}' and '{target}' in the schema cache",
    null,
  ),
  PGRST201: entry(
    300,
    "Could not embed because more than one relationship was found for '{origin}' and '{target}'",
    null,
  ),
  PGRST202: entry(404, 'Could not find the function {function} in the schema cache', null),
  PGRST203: entry(
    300,
    'Could not choose the best candidate function between: {candidates}',
    'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
  ),
  PGRST204: entry(400, "Could not find the '{column}' column of '{table}' in the schema cache"),
  PGRST205: entry(404, "Could not find the table '{table}' in the schema cache", null),
  PGRST301: entry(401, '{problem}'),
  PGRST303: entry(401, '{problem}'),
} as const satisfies Record<string, ErrorEntry>;
