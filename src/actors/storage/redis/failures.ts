import { DatabaseError, isPublicError, MagError, type PublicError } from '../../../errors.ts';

/** An error that the server replied: its first word says what kind it is. */
const isReply = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError';

/** Words by which the server says that it cannot serve right now, and what is wrong. */
const NOT_NOW: Readonly<Record<string, string>> = {
  LOADING: 'Redis is loading its data',
  BUSY: 'Redis is busy with a script',
  MASTERDOWN: 'Redis has lost its master',
  READONLY: 'Redis is a read-only replica',
  CLUSTERDOWN: 'the Redis cluster is down',
  MISCONF: 'Redis cannot write its files',
  NOREPLICAS: 'Redis has too few replicas',
  max: 'Redis takes no more connections',
};

const wordOf = (error: Error): string => error.message.replace(/^ERR /, '').split(' ', 1)[0] ?? '';

/** Whether the server does not know the project as the board left it: its user, its password, or the functions. */
export const isForgotten = (error: unknown): boolean =>
  isReply(error) &&
  (['WRONGPASS', 'NOAUTH'].includes(wordOf(error)) ||
    error.message.includes('Function not found') ||
    /NOPERM .*'fcall/i.test(error.message));

/** Whether the connection, not the command, failed. */
export const isConnectionLost = (error: unknown): boolean => !isReply(error) && !isPublicError(error);

export const unavailable = (why: string, cause?: unknown): MagError =>
  new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'redis', why }, { cause });

/** The driver's error as one of ours. What is no reply is a lost connection. */
export function publicError(error: unknown): PublicError {
  if (isPublicError(error)) return error;
  if (!isReply(error)) return unavailable('the connection to Redis was lost', error);
  if (isForgotten(error)) return unavailable('Redis does not know the project right now', error);
  const word = wordOf(error);
  const why = NOT_NOW[word];
  if (why !== undefined) return unavailable(why, error);
  const { message } = error;
  if (word === 'OOM') return new DatabaseError('53200', 'Redis is out of memory', { cause: error });
  if (word === 'WRONGTYPE' || message.includes('WRONGTYPE')) {
    return new DatabaseError('42804', 'The key holds another kind of value', { cause: error });
  }
  if (word === 'NOPERM' || message.includes("can't access at least one of the keys"))
    return new DatabaseError('42501', 'The project’s user may not do that', { cause: error });
  return new DatabaseError('42601', message.replace(/^ERR /, ''), { cause: error });
}
