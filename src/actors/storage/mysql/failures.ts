import { DatabaseError, isPublicError, MagError, type PublicError } from '../../../errors.ts';

/** An error as the server sent it. */
export interface ServerError extends Error {
  readonly errno: number;
  readonly sqlState: string;
  /** The server's text alone; `message` is the same. */
  readonly sqlMessage?: string;
}

/** The driver's own failures have an `errno` of the system's, a negative number, and no SQLSTATE. */
export const isServerError = (error: unknown): error is ServerError =>
  error instanceof Error &&
  'errno' in error &&
  typeof error.errno === 'number' &&
  'sqlState' in error &&
  typeof error.sqlState === 'string';

/** Error numbers of MySQL and MariaDB under the SQLSTATE that PostgreSQL has for the same; clients need one set. */
const STATES: Readonly<Record<number, string>> = {
  // Rows and their values.
  ...{ 1062: '23505', 1586: '23505', 1048: '23502', 1364: '23502', 4025: '23514', 3819: '23514' },
  ...{ 1216: '23503', 1217: '23503', 1451: '23503', 1452: '23503', 1557: '23503' },
  ...{ 1264: '22003', 1690: '22003', 1406: '22001', 1365: '22012', 1366: '22P02', 1265: '22P02' },
  ...{ 1292: '22007', 1411: '22007', 3140: '22P02', 4037: '22P02', 4038: '22P02', 1300: '22021' },
  ...{ 1242: '21000', 1644: 'P0001', 1210: '22023' },
  // Names and text.
  ...{ 1064: '42601', 1149: '42601', 1241: '42601', 1136: '42601', 1065: '42601' },
  ...{ 1146: '42P01', 1051: '42P01', 1054: '42703', 1052: '42702', 1305: '42883', 1370: '42501' },
  ...{ 1318: '42883', 1582: '42883', 1050: '42P07', 1304: '42723', 1060: '42701', 1061: '42P07' },
  ...{ 1091: '42704', 1115: '42704', 1273: '42704', 1068: '42P16', 1170: '42P16', 1005: '42830' },
  ...{ 1822: '42830', 1215: '42830', 1007: '42P04', 1049: '3D000', 1295: '0A000', 1235: '0A000' },
  ...{ 1906: '428C9', 3105: '428C9', 1348: '55000', 1288: '55000', 1471: '55000' },
  // Rights and resources.
  ...{ 1044: '42501', 1142: '42501', 1143: '42501', 1227: '42501', 1419: '42501', 1290: '42501' },
  ...{
    1095: '42501',
    1148: '42501',
    4166: '42501',
    1045: '42501',
    1959: '0P000',
    1836: '25006',
    1792: '25006',
  },
  ...{ 1317: '57014', 1969: '57014', 3024: '57014', 1213: '40P01', 1205: '55P03', 1153: '54000' },
  ...{ 1021: '53100', 1114: '53100', 1037: '53200', 1038: '53200', 1461: '53400', 1226: '53400' },
};

/** Too many connections; of one user (by the server's setting, or by the user's own). */
const NO_ROOM: ReadonlySet<number> = new Set([1040, 1203, 1226]);
/** The server goes down, or ended this connection. */
const GOING_AWAY: ReadonlySet<number> = new Set([1053, 1077, 1079, 1927, 3032]);
/** A statement was to write more than its packet may hold; the server closes the connection over it. */
const PACKET_TOO_LARGE = 1153;

/** The server, or the project's user, has as many connections as it may; also where one of ours stands for that. */
export const isNoRoom = (error: unknown): boolean =>
  isServerError(error)
    ? NO_ROOM.has(error.errno)
    : isPublicError(error) && error.cause !== undefined && isNoRoom(error.cause);

/** Whether the error means that the connection, not the statement, failed: another one may work. */
export const isConnectionLost = (error: unknown): boolean =>
  isServerError(error)
    ? GOING_AWAY.has(error.errno) || error.errno === PACKET_TOO_LARGE
    : !isPublicError(error);

/** Whether opening a connection failed for everybody, and not for this project's user alone. */
export const isUnreachable = (error: unknown): boolean =>
  isServerError(error) ? GOING_AWAY.has(error.errno) : !isPublicError(error);

/** Whether what we know of the schema may be out of date. */
export const isSchemaStale = (error: unknown): boolean =>
  isServerError(error) && [1146, 1054, 1136, 1364].includes(error.errno);

/** A row has a unique value already. */
export const isDuplicate = (error: unknown): boolean =>
  isServerError(error) && (error.errno === 1062 || error.errno === 1586);

/** Another transaction stood in the way: the server undid this one. */
export const isConflict = (error: unknown): boolean =>
  isServerError(error) ? error.errno === 1213 : isPublicError(error) && error.code === '40P01';

/** The statement cannot be prepared; it may still be run as text. */
export const isUnpreparable = (error: unknown): boolean => isServerError(error) && error.errno === 1295;

/** The server knows another password for the project's user, or has no such user or database. */
const REFUSED: ReadonlySet<number> = new Set([1045, 1044, 1049]);

/** Of an error met while connecting: the server has no such user with this password, or not for this database. */
export const isRefused = (error: unknown): boolean => isServerError(error) && REFUSED.has(error.errno);

/** Why a connection was lost or refused, as SQLSTATE; `unreachable` where no server said so. */
export function whyLost(error: unknown): string {
  if (!isServerError(error)) return 'unreachable';
  return REFUSED.has(error.errno) ? '28P01' : (STATES[error.errno] ?? error.sqlState);
}

/** The failure to open a connection, as one of ours. */
export function connectError(error: unknown): PublicError {
  if (isServerError(error) && (REFUSED.has(error.errno) || NO_ROOM.has(error.errno))) {
    const why = 'MySQL does not take connections of the project right now';
    return new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'mysql', why }, { cause: error });
  }
  return publicError(error);
}

/** The driver's error as one of ours. What is no server's error is a lost connection. */
export function publicError(error: unknown): PublicError {
  if (isPublicError(error)) return error;
  if (!isServerError(error) || GOING_AWAY.has(error.errno)) {
    const why = 'the connection to MySQL was lost';
    return new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'mysql', why }, { cause: error });
  }
  const state = STATES[error.errno] ?? stateOf(error.sqlState);
  return new DatabaseError(state, messageOf(state, error.sqlMessage ?? error.message), { cause: error });
}

/** What is not in the table keeps its SQLSTATE where that says something; HY000 says nothing but "an error". */
const stateOf = (state: string): string => (/^(HY|00|01|08|XX)/.test(state) ? '42000' : state);

/** MySQL's words, in front of them PostgreSQL's where clients look for those. */
function messageOf(state: string, message: string): string {
  if (state === '23505') return `duplicate key value violates unique constraint (${message})`;
  if (state === '23502') return `null value violates not-null constraint (${message})`;
  if (state === '23503') return `violates foreign key constraint (${message})`;
  if (state === '23514') return `violates check constraint (${message})`;
  return message;
}
