import { type ErrorEntry, entry, POSTGREST_ERRORS } from './errors-postgrest.ts';
import { statusOfSqlState } from './sql-state.ts';

/**
 * The registry of every error a user, a client or an operator can meet.
 *
 * A code is an API: it never changes its meaning. docs/errors.md lists each one, and a meta test compares the
 * two both ways. Codes that PostgREST's clients expect (PGRST…) and SQLSTATEs keep their own names.
 */

export const ERRORS = {
  // ── start and configuration
  MAG_CONFIG_INVALID: entry(500, 'Setting {setting} is not valid: {problem}'),
  MAG_CONFIG_UNKNOWN: entry(500, 'Unknown setting {setting}', 'Did you mean {nearest}?'),
  MAG_BOOT_FAILED: entry(500, 'Boot failed in stage {stage}, component {component}: {cause}'),
  MAG_DATA_LOCKED: entry(
    500,
    'The data folder {folder} is held by another board (pid {pid})',
    'Stop that board, or choose another MAG_DATA_DIR.',
  ),
  MAG_DATA_UNUSABLE: entry(
    500,
    'The data folder {folder} cannot be used: {problem}',
    'Choose a folder this user can write, with MAG_DATA_DIR.',
  ),
  MAG_PORT_IN_USE: entry(
    500,
    'Port {port} on {host} is in use',
    'Stop what listens there, or set MAG_PORT (0 picks a free one).',
  ),
  MAG_COMPONENT_INVALID: entry(500, 'The component {component} cannot be booted: {problem}'),
  MAG_SECRET_UNUSABLE: entry(
    500,
    'The secret file {file} cannot be used: {problem}',
    'Restore it from a backup of the data folder; without it every key derived from it is lost.',
  ),
  MAG_CATALOGUE_UNUSABLE: entry(500, 'The board database {file} cannot be used: {problem}'),

  // ── command line
  MAG_USAGE: entry(400, '{problem}', 'mag --help lists the commands and their options.'),
  MAG_BOARD_NOT_FOUND: entry(
    503,
    'No running board was found at {where}',
    'Start one with `mag start`, or name it with --url or MAG_DATA_DIR.',
  ),

  // ── actors
  MAG_ACTOR_NOT_FOUND: entry(404, 'No actor at {path}'),
  MAG_ACTOR_CRASHED: entry(503, 'The actor {path} crashed: {cause}'),
  MAG_ACTOR_START_TIMEOUT: entry(503, 'The actor {path} was not ready within {ms} ms'),
  MAG_ACTOR_DUPLICATE: entry(409, 'A child with the id {id} exists already under {path}'),
  MAG_NAME_TAKEN: entry(409, 'The name {name} is held by {path}'),
  MAG_LINKED_EXIT: entry(503, 'The actor {path} ended with {linked}, to which it is linked ({reason})'),
  MAG_CHILD_RUNNING: entry(409, 'The child {path} is running', 'Terminate it first.'),
  MAG_CHILD_RESTARTING: entry(409, 'The child {path} is being restarted', 'Terminate it first, or wait.'),
  MAG_CHILD_SPEC_INVALID: entry(400, 'The specification of {path} is not valid: {field} {problem}'),
  MAG_ASK_TIMEOUT: entry(503, 'No answer from {path} within {ms} ms'),
  MAG_MAILBOX_FULL: entry(503, 'The mailbox of {path} is full ({capacity})'),
  MAG_RESTART_INTENSITY: entry(
    503,
    'The supervisor {path} gave up: more than {max} restarts within {within} ms',
  ),
  MAG_MOVE_FAILED: entry(503, 'The subtree {path} stays where it is: {reason}'),
  MAG_MESSAGE_NOT_CLONEABLE: entry(500, 'A message to {path} cannot cross a thread: field {field}'),
  MAG_MESSAGE_INVALID: entry(400, 'A message to {path} is no object with a type'),
  MAG_LOGIC_ASYNC: entry(
    500,
    'A function of the light actor {path} gave a promise as its state',
    'Its functions are synchronous: use a component, or send it what the promise gives.',
  ),
  MAG_FAULT_INJECTED: entry(503, 'Crashed on purpose: {reason}'),
  MAG_FAULT_INJECTION_DISABLED: entry(403, 'Fault injection is disabled on this board'),
  MAG_COMPONENT_UNAVAILABLE: entry(
    503,
    'The component {name} is not available right now',
    'It restarts by itself; try again.',
  ),
  MAG_WORKER_EXITED: entry(503, 'The worker {name} exited: {cause}'),
  MAG_WORKER_OUT_OF_MEMORY: entry(
    503,
    'The worker {name} exited: it ran out of memory ({limit} MB of heap)',
    'Give it less at once, or spread it over more workers.',
  ),
  MAG_WORKER_HUNG: entry(503, 'The worker {name} did not answer for {ms} ms and was stopped'),
  MAG_PROCESS_EXITED: entry(503, 'The process {name} exited with {cause}'),

  // ── calls to what may fail
  MAG_CIRCUIT_OPEN: entry(
    503,
    'The circuit {name} is {state}: calls are not tried',
    'Try again after the time in retry-after.',
  ),
  MAG_BULKHEAD_FULL: entry(503, 'No place for another call to {name}: {running} run, {waiting} wait'),
  MAG_BULKHEAD_TIMEOUT: entry(503, 'No place for a call to {name} became free within {ms} ms'),
  MAG_CALL_TIMEOUT: entry(504, 'The call was not answered within {ms} ms'),

  // ── flows and links
  MAG_FLOW_OVERFLOW: entry(503, 'More than {capacity} items wait for their consumer'),
  MAG_FLOW_SUBSCRIBED: entry(
    409,
    'This flow has its one subscriber already',
    'Give it several with the operator share.',
  ),
  MAG_FLOW_REFUSED: entry(503, 'The actor that a flow goes to did not take an item: {result}'),
  MAG_LINK_CLOSED: entry(503, 'The link closed before its flow had ended: {reason}'),
  MAG_LINK_FRAME_INVALID: entry(400, 'A frame of the link is not valid: {problem}'),
  MAG_LINK_ITEM_INVALID: entry(500, 'An item cannot cross the link: {problem}'),

  // ── log and bus
  MAG_LOG_CORRUPT: entry(
    500,
    'The log {log} is damaged at offset {offset}: {problem}',
    'Records behind the damage were acknowledged: restore the folder from a backup, or move it away to begin anew.',
  ),
  MAG_LOG_LOCKED: entry(500, 'The log {folder} is written by another process or thread'),
  MAG_LOG_FULL: entry(
    503,
    'The log {folder} has no room on the disk: {cause}',
    'Free space, then try again.',
  ),
  MAG_LOG_FAILED: entry(503, 'The log {folder} has ended: {cause}'),
  MAG_RECORD_TOO_LARGE: entry(413, 'An append of {bytes} bytes is larger than {limit}'),
  MAG_TOPIC_UNKNOWN: entry(404, 'The bus has no topic {topic}'),
  MAG_TOPIC_FULL: entry(
    503,
    'The topic {topic} holds {bytes} bytes that a consumer still needs',
    'Let its consumers catch up, or forget the one that is gone.',
  ),
  MAG_EVENT_INVALID: entry(400, 'The event does not fit the topic {topic}: {problem}'),
  MAG_CONSUMER_BUSY: entry(409, 'The consumer {consumer} of {topic} has its one subscriber already'),
  MAG_OFFSET_NOT_HELD: entry(410, 'The topic {topic} does not hold offset {offset}, but {first} to {next}'),

  // ── requests
  MAG_BAD_JSON: entry(400, 'The body is not valid JSON: {problem}'),
  MAG_BAD_REQUEST: entry(400, 'The request is not valid: {problem}'),
  MAG_BODY_TOO_LARGE: entry(413, 'The body is larger than {limit} bytes'),
  MAG_URL_TOO_LONG: entry(414, 'The URL is longer than {limit} bytes'),
  MAG_HEADERS_TOO_LARGE: entry(431, 'The request headers are too large'),
  MAG_REQUEST_TIMEOUT: entry(408, 'The request did not arrive in time'),
  MAG_UNSUPPORTED_MEDIA_TYPE: entry(
    415,
    'The content type {type} is not supported',
    'Send application/json.',
  ),
  MAG_NOT_FOUND: entry(404, 'Nothing is served at {path}'),
  MAG_KEY_MISSING: entry(401, 'No API key was given', 'Send the project key in the apikey header.'),
  MAG_KEY_INVALID: entry(401, 'The API key is not valid for this project'),
  MAG_ADMIN_KEY_INVALID: entry(
    401,
    'The admin key is missing or wrong',
    'Send Authorization: Bearer ADMIN_KEY.',
  ),
  MAG_FORBIDDEN: entry(
    403,
    'The role {role} may not {action} {table}',
    'Grant it in the project settings, or use the service key.',
  ),
  MAG_SERVICE_KEY_REQUIRED: entry(403, 'This route needs the service key'),
  MAG_RATE_LIMITED: entry(429, 'Too many requests'),
  MAG_OVERLOADED: entry(503, 'The board is busy: {what}', 'Try again after the time in retry-after.'),
  MAG_INTERNAL: entry(500, 'Something went wrong on our side', 'The request id names it in the log.'),
  MAG_DRAINING: entry(503, 'The board is stopping'),

  // ── projects and engines
  MAG_PROJECT_NOT_FOUND: entry(404, 'No project {ref}'),
  MAG_PROJECT_NAME_TAKEN: entry(409, 'A project named {name} exists already'),
  MAG_PROJECT_LIMIT: entry(409, 'A board holds at most {limit} projects', 'Delete one that is not needed.'),
  MAG_CREDENTIAL_LIMIT: entry(
    409,
    'A project has at most {limit} credentials',
    'Revoke one that is not needed.',
  ),
  MAG_CREDENTIAL_NOT_FOUND: entry(404, 'There is no credential {id} of the project {ref}'),
  MAG_ENGINE_UNKNOWN: entry(
    400,
    'Unknown engine {engine}',
    'GET /admin/v1/engines lists those that are available.',
  ),
  MAG_ENGINE_UNAVAILABLE: entry(503, 'The engine {engine} is not available: {why}'),
  MAG_ENGINE_UNSUPPORTED: entry(400, 'The engine {engine} cannot {what}'),
  MAG_POOL_TIMEOUT: entry(503, 'No connection to the database of {ref} became free within {ms} ms'),
  MAG_STATEMENT_FORBIDDEN: entry(403, 'The statement is not allowed: {why}'),
  MAG_RESULT_TOO_LARGE: entry(
    413,
    'The result is larger than {limit}',
    'Ask for fewer rows, with limit and offset.',
  ),
  MAG_MIGRATION_FAILED: entry(400, 'The migration {migration} failed: {why}'),
  MAG_MIGRATION_CONFLICT: entry(409, 'The migration {migration} cannot be applied: {problem}'),
  MAG_EXPORT_MOVED: entry(
    409,
    'The rows of {table} moved too far while they were exported',
    'Export it again when less is written, or with a larger --batch.',
  ),
  MAG_IMPORT_FAILED: entry(
    400,
    'Rows {from} to {to} were refused: {why}',
    'None of them is written, all before them are: when the table takes them, --resume goes on there.',
  ),
  MAG_FILTER_INVALID: entry(400, 'The filter {filter} is not valid: {problem}'),

  // ── transactions
  MAG_REFERENCE_INVALID: entry(400, 'The reference {ref} cannot be resolved: {problem}'),
  MAG_EXPECTATION_FAILED: entry(
    409,
    'The operation was to affect {expected} rows, and affected {found}',
    'Nothing of the transaction was kept.',
  ),
  MAG_IDEMPOTENCY_KEY_INVALID: entry(400, 'The Idempotency-Key is not valid: {problem}'),
  MAG_IDEMPOTENCY_MISMATCH: entry(
    422,
    'The idempotency key was used for another request',
    'Use a new key for a new request; a retry must be the same in all its parts.',
  ),
  MAG_IDEMPOTENCY_RUNNING: entry(
    409,
    'The first request under this idempotency key is still running',
    'Try again after the time in retry-after.',
  ),

  ...POSTGREST_ERRORS,

  // ── realtime
  MAG_FRAME_INVALID: entry(400, 'The frame is not valid: {problem}'),
  MAG_CHANNEL_UNKNOWN: entry(404, 'No channel {topic} is joined on this socket', 'Join it first.'),
  MAG_CHANNEL_EVENT_UNKNOWN: entry(400, 'A channel takes no event {event}'),
  MAG_CHANNEL_LIMIT: entry(429, 'More than {limit} {what}'),
  MAG_CHANNEL_PRIVATE: entry(
    403,
    'The channel {topic} is private: the role {role} may not join it',
    'Sign in.',
  ),
  MAG_RESUME_EXPIRED: entry(
    410,
    'The offset {offset} is no longer held',
    'Read the table again, then subscribe without resume.',
  ),
  MAG_FEED_UNAVAILABLE: entry(503, 'Changes of {ref} cannot be followed: {why}'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

type Params = Readonly<Record<string, string | number>>;

const fill = (template: string, params: Params): string =>
  template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));

/** What a client sees of an error; the shape is PostgREST's. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly hint: string | null;
}

/** A sentence, or where there are several things to choose from, each with its members (PGRST201, PGRST203). */
export type ErrorDetails = string | readonly Readonly<Record<string, string>>[] | null;

/** An error of the registry. `details` must hold nothing secret: it reaches the client. */
export class MagError extends Error {
  override readonly name = 'MagError';
  readonly code: string;
  readonly status: number;
  readonly details: ErrorDetails;
  readonly hint: string | null;
  /** Seconds after which a retry makes sense; sent as `retry-after`. */
  readonly retryAfter: number | null;
  /** Tables and functions that `hint` and `details` name beyond those that were asked for, as `schema.name`. */
  readonly names: readonly string[];

  constructor(
    code: ErrorCode,
    params: Params = {},
    options: {
      cause?: unknown;
      details?: ErrorDetails;
      hint?: string | null;
      /** Seconds; absent: one for a status that invites a retry. */
      retryAfter?: number;
      /** The message as it is already filled in. */
      message?: string;
      names?: readonly string[];
    } = {},
  ) {
    const found: ErrorEntry = ERRORS[code];
    super(
      options.message ?? fill(found.message, params),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = found.status;
    this.details = options.details ?? null;
    this.hint = options.hint ?? (found.hint === null ? null : fill(found.hint, params));
    this.names = options.names ?? [];
    this.retryAfter =
      options.retryAfter ??
      (found.status === 503 || found.status === 429 || code === 'MAG_IDEMPOTENCY_RUNNING' ? 1 : null);
  }
}

/** An error that the database itself reported, under its SQLSTATE (SQLite's are mapped onto the same codes). */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: string;
  readonly status: number;
  readonly details: string | null;
  readonly hint: string | null;
  readonly retryAfter = null;
  /** What the project's SQL wants sent with it, names and values in turn; checked. */
  readonly headers: readonly string[];
  /** What its status is called in the reply; null: as HTTP calls it. */
  readonly statusText: string | null;

  constructor(
    sqlState: string,
    message: string,
    options: {
      cause?: unknown;
      details?: string | null;
      hint?: string | null;
      /** Where who asks, or who raised it, says so; absent: the SQLSTATE's. */
      status?: number;
      headers?: readonly string[];
      statusText?: string | null;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = sqlState;
    this.status = options.status ?? statusOfSqlState(sqlState);
    this.headers = options.headers ?? [];
    this.statusText = options.statusText ?? null;
    this.details = options.details ?? null;
    this.hint = options.hint ?? null;
  }
}

export type PublicError = MagError | DatabaseError;

export const isPublicError = (error: unknown): error is PublicError =>
  error instanceof MagError || error instanceof DatabaseError;

/** The same error, with where in a request it arose in front of its details. */
export function locatedError(error: PublicError, where: string): PublicError {
  const { cause, hint, retryAfter, message } = error;
  const inside = typeof error.details === 'string' ? `${where}: ${error.details}` : where;
  if (error instanceof DatabaseError) {
    const { status, headers } = error;
    return new DatabaseError(error.code, message, { cause, details: inside, hint, status, headers });
  }
  const details = Array.isArray(error.details) ? error.details : inside;
  // A MagError's code is one of the registry: only its constructor sets it.
  const code = error.code as ErrorCode;
  const { names } = error;
  return new MagError(
    code,
    {},
    { cause, details, hint, message, names, ...(retryAfter === null ? {} : { retryAfter }) },
  );
}

/** The same error without what it names beyond what was asked for: its hint, and the list to choose from. */
export function unnamed({ code, cause, details, message }: MagError): MagError {
  const said = typeof details === 'string' ? details : null;
  // As above.
  return new MagError(code as ErrorCode, {}, { cause, details: said, message });
}

export const errorBody = (error: PublicError): ErrorBody => ({
  code: error.code,
  message: error.message,
  details: error.details,
  hint: error.hint,
});

/** One line for a log or a tree: the message and the chain of causes, outermost first. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 8 && current !== undefined && current !== null; depth += 1) {
    const text = current instanceof Error ? current.message : String(current);
    // A message that ends in its cause's own has said it.
    if (parts.at(-1)?.endsWith(`: ${text}`) !== true) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(' ← ');
}
