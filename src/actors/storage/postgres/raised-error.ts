import { DatabaseError, MagError, type PublicError } from '../../../errors.ts';
import { allowedHeaders, allowedPhrase } from '../response-headers.ts';

/** `RAISE SQLSTATE 'PGRST'`: SQL of the project says the whole of the reply, as PostgREST takes it. */
export const RAISED = 'PGRST';

const MESSAGE =
  "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
const DETAIL =
  "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";

type Members = Readonly<Record<string, unknown>>;

function membersOf(text: string): Members | null {
  try {
    const value: unknown = JSON.parse(text);
    // An object that is no array is a record of unknowns.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : null;
  } catch {
    return null;
  }
}

const unreadable = (details: string, form: string): MagError =>
  new MagError('PGRST121', { form }, { details });

const isOptional = (value: unknown): value is string | null | undefined =>
  value === undefined || value === null || typeof value === 'string';

interface Raised extends Error {
  readonly detail?: string;
}

interface RaisedReply {
  readonly status: number;
  readonly statusText: string | null;
  readonly headers: readonly string[];
}

function replyOf(detail: string): RaisedReply | null {
  const { status, headers, status_text: said } = membersOf(detail) ?? {};
  if (!isOptional(said)) return null;
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) return null;
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return null;
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string') return null;
    pairs.push([name, value]);
  }
  const allowed = allowedHeaders(pairs);
  return allowed === null ? null : { status, statusText: allowedPhrase(said ?? ''), headers: allowed };
}

/** The error that was raised; PGRST121 where it does not say it as it must. */
export function raisedError(error: Raised): PublicError {
  const { code, message, details, hint } = membersOf(error.message) ?? {};
  if (typeof code !== 'string' || typeof message !== 'string' || !isOptional(details) || !isOptional(hint))
    return unreadable(`Invalid JSON value for MESSAGE: '${error.message}'`, MESSAGE);
  if (error.detail === undefined) return unreadable('DETAIL is missing in the RAISE statement', DETAIL);
  const reply = replyOf(error.detail);
  if (reply === null) return unreadable(`Invalid JSON value for DETAIL: '${error.detail}'`, DETAIL);
  return new DatabaseError(code, message, {
    cause: error,
    details: details ?? null,
    hint: hint ?? null,
    ...reply,
  });
}
