import { createHash } from 'node:crypto';
import type { CredentialMode } from '../../../protocol/credentials.ts';
import { FUNCTIONS } from './functions.ts';
import { NATIVE_COMMANDS } from './native-commands.ts';

/** What a project's own connections may say besides the commands on its keys. */
const SESSION = [
  'ping',
  'echo',
  'hello',
  'auth',
  'quit',
  'reset',
  'multi',
  'exec',
  'discard',
  'watch',
  'unwatch',
];
const CHANNELS = ['subscribe', 'unsubscribe', 'psubscribe', 'punsubscribe', 'publish'];
/** What the engine's functions call, where a tenant's commands are not these already. */
const ENGINE = [
  'get',
  'mget',
  'set',
  'del',
  'exists',
  'hget',
  'hset',
  'hdel',
  'hlen',
  'zadd',
  'zrem',
  'zcard',
  'zrange',
];

const allow = (command: string): string => `+${command}`;

const hashOf = (password: string): string => `#${createHash('sha256').update(password).digest('hex')}`;

/**
 * Rules of a project's user: its prefix, and commands on keys that are named. What tells of other keys (SCAN, KEYS,
 * DBSIZE, RANDOMKEY, CLIENT, INFO), of other databases, or holds the server up (scripts) is not among them. The
 * password goes as its hash, so that it stands in no log of the server's.
 */
export const projectRules = (prefix: string, password: string): readonly string[] => [
  ...['reset', 'on', hashOf(password), `~${prefix}*`, 'resetchannels', `&${prefix}*`, '-@all'],
  ...new Set([...SESSION, ...CHANNELS, ...ENGINE, ...Object.keys(NATIVE_COMMANDS)].map(allow)),
  `+fcall|${FUNCTIONS.write}`,
  `+fcall|${FUNCTIONS.remove}`,
  `+fcall_ro|${FUNCTIONS.page}`,
];

/**
 * Rules of a credential for tools beside the board. Documents and what else the engine keeps are read at most, since a
 * tool would not keep the indexes in step; so the keys it may write are all that begin otherwise.
 */
export const credentialRules = (
  prefix: string,
  mode: CredentialMode,
  password: string,
): readonly string[] => {
  const other = [`${prefix}[^c$]*`, `${prefix}c[^:]*`, `${prefix}c`];
  const commands = Object.entries(NATIVE_COMMANDS).filter(([, { writes }]) => mode === 'write' || !writes);
  return [
    ...['reset', 'on', hashOf(password), `%R~${prefix}c:*`],
    ...other.map((pattern) => `${mode === 'write' ? '~' : '%R~'}${pattern}`),
    ...['resetchannels', `&${prefix}*`, '-@all'],
    ...new Set([...SESSION, ...CHANNELS.filter((name) => mode === 'write' || name !== 'publish')].map(allow)),
    ...commands.map(([name]) => allow(name)),
  ];
};

/** Rules of the board's user for filtered scans: it sees the names of keys, and nothing that is in them. */
export const scannerRules = (password: string): readonly string[] => [
  ...['reset', 'on', hashOf(password), 'resetchannels', '-@all', '+scan', '+ping', '+hello', '+auth'],
];
