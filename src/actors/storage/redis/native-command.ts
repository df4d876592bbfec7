import { MagError } from '../../../errors.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import { isDocument, isEnginesOwn } from './keys.ts';
import { type KeyPlace, NATIVE_COMMANDS } from './native-commands.ts';

/** A command as it goes to the server: every key and channel below the project's prefix. */
export interface PreparedCommand {
  readonly name: string;
  readonly args: readonly string[];
}

const refuse = (problem: string): MagError => new MagError('MAG_BAD_REQUEST', { problem });

/** The words of `{command: […]}`. Throws MAG_BAD_REQUEST. */
export function wordsOf(command: unknown): readonly string[] {
  if (!Array.isArray(command) || command.length === 0)
    throw refuse('command must be a list that is not empty');
  if (command.length > REDIS_LIMITS.nativeArguments)
    throw refuse(`command has more than ${REDIS_LIMITS.nativeArguments} arguments`);
  return command.map((word: unknown) => {
    if (typeof word === 'string') return word;
    if (typeof word === 'bigint' || (typeof word === 'number' && Number.isFinite(word))) return String(word);
    throw refuse('the words of a command are texts and numbers');
  });
}

/** Places of the keys among the arguments. Throws MAG_BAD_REQUEST where a count is none. */
function keyPlaces(keys: KeyPlace, args: readonly string[]): readonly number[] {
  const upTo = (from: number, to: number, step = 1): readonly number[] => {
    const places: number[] = [];
    for (let at = from; at < to; at += step) places.push(at);
    return places;
  };
  switch (keys) {
    case 'none':
      return [];
    case 'first':
    case 'channel':
      return upTo(0, 1);
    case 'two':
      return upTo(0, 2);
    case 'all':
      return upTo(0, args.length);
    case 'pairs':
      return upTo(0, args.length, 2);
    case 'counted':
      return upTo(1, 1 + countOf(args[0], args.length - 1));
    case 'stored':
      return [0, ...upTo(2, 2 + countOf(args[1], args.length - 2))];
  }
}

function countOf(word: string | undefined, most: number): number {
  const count = /^\d{1,7}$/.test(word ?? '') ? Number(word) : 0;
  if (count < 1 || count > most) throw refuse('the number of keys does not fit the command');
  return count;
}

/**
 * A tenant's command with its keys below the prefix. Throws MAG_STATEMENT_FORBIDDEN for a command that is not on the
 * list, and for a write to what the engine keeps itself; MAG_BAD_REQUEST where keys are missing.
 */
export function prepare(words: readonly string[], prefix: string): PreparedCommand {
  const [first = '', ...args] = words;
  const name = first.toLowerCase();
  const command = Object.hasOwn(NATIVE_COMMANDS, name) ? NATIVE_COMMANDS[name] : undefined;
  if (command === undefined)
    throw new MagError('MAG_STATEMENT_FORBIDDEN', {
      why: `${first.slice(0, 40)} is not on the list of commands`,
    });
  const out = [...args];
  for (const place of keyPlaces(command.keys, args)) {
    const key = args[place];
    if (key === undefined) throw refuse(`${name.toUpperCase()} needs a key`);
    if (isEnginesOwn(key) || (command.writes && isDocument(key))) throw ownKey(key);
    out[place] = prefix + key;
  }
  return { name, args: out };
}

const ownKey = (key: string): MagError =>
  new MagError(
    'MAG_STATEMENT_FORBIDDEN',
    { why: `${key.slice(0, 40)} belongs to a collection` },
    { hint: 'Documents are written over REST, so that their indexes stay right.' },
  );

/** What SCAN takes: `SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]`. Throws MAG_BAD_REQUEST. */
export function prepareScan(words: readonly string[], prefix: string): PreparedCommand {
  const [, cursor = '', ...options] = words;
  if (!/^\d{1,20}$/.test(cursor)) throw refuse('SCAN needs a cursor');
  let pattern = '*';
  let count: number = REDIS_LIMITS.scanKeys;
  const type: string[] = [];
  for (let at = 0; at < options.length; at += 2) {
    const option = options[at]?.toUpperCase();
    const value = options[at + 1];
    if (value === undefined) throw refuse('an option of SCAN has no value');
    if (option === 'MATCH') pattern = value;
    else if (option === 'COUNT' && /^[1-9]\d{0,8}$/.test(value)) count = Math.min(count, Number(value));
    else if (option === 'TYPE') type.push('TYPE', value);
    else throw refuse('SCAN takes MATCH, COUNT and TYPE');
  }
  // The prefix holds no character that patterns read.
  return { name: 'scan', args: [cursor, 'MATCH', `${prefix}${pattern}`, 'COUNT', String(count), ...type] };
}
