import { resolve } from 'node:path';
import { type ServerTls, SYSTEM_CA, type TlsMode } from '../../protocol/server-tls.ts';
import { nearest } from '../bios/nearest.ts';
import { mongodbUrlProblem } from './mongodb/url.ts';
import { certificateProblem, keyProblem } from './tls-files.ts';
import { isRemote, quoted, readOptions, ServerUrlError } from './url-options.ts';

/** Engines whose server a URL may name. */
export type ServerEngine = 'postgres' | 'mysql' | 'mongodb' | 'redis';

/** A server as a URL names it. Holds a secret. */
export interface ServerUrl {
  readonly host: string;
  readonly port: number;
  /** Empty where the URL has none. */
  readonly user: string;
  readonly password: string;
  /** Empty where the URL has none. */
  readonly database: string;
  /** Absent: in the clear. */
  readonly tls?: ServerTls;
}

/** The names under which an engine's users know these options. */
export interface TlsNames {
  readonly setting: string;
  readonly port: number;
  /** Says which of the modes. */
  readonly mode: string;
  readonly modes: Readonly<Record<string, TlsMode | 'off'>>;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The option that says: in the clear. */
  readonly off: string;
}

/** The dialects of libpq, of MySQL's clients, and of redis-cli. */
export const TLS_NAMES: Readonly<Record<Exclude<ServerEngine, 'mongodb'>, TlsNames>> = {
  postgres: {
    ...{ setting: 'MAG_POSTGRES_URL', port: 5432, mode: 'sslmode', off: 'sslmode=disable' },
    modes: {
      ...{ disable: 'off', prefer: 'prefer', require: 'require' },
      ...{ 'verify-ca': 'verify-ca', 'verify-full': 'verify-full' },
      // libpq asks for TLS there where the server will not do without: where it has any, nothing is lost by it.
      allow: 'prefer',
    },
    ...{ ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' },
  },
  mysql: {
    ...{ setting: 'MAG_MYSQL_URL', port: 3306, mode: 'ssl-mode', off: 'ssl-mode=DISABLED' },
    modes: {
      ...{ disabled: 'off', preferred: 'prefer', required: 'require' },
      ...{ verify_ca: 'verify-ca', verify_identity: 'verify-full' },
    },
    ...{ ca: 'ssl-ca', cert: 'ssl-cert', key: 'ssl-key' },
  },
  redis: {
    ...{ setting: 'MAG_REDIS_URL', port: 6379, mode: 'tls', off: 'tls=false' },
    modes: { false: 'off', insecure: 'require', 'verify-ca': 'verify-ca', 'verify-full': 'verify-full' },
    ...{ ca: 'cacert', cert: 'cert', key: 'key' },
  },
};

function modeOf(names: TlsNames, options: ReadonlyMap<string, string>): TlsMode | 'off' | undefined {
  const written = options.get(names.mode);
  if (written === undefined) return undefined;
  const mode = Object.entries(names.modes).find(([word]) => word === written.toLowerCase())?.[1];
  if (mode !== undefined) return mode;
  const near = nearest(written, Object.keys(names.modes));
  throw new ServerUrlError(`${names.mode} is ${quoted(written)}; did you mean ${near}?`);
}

function clientOf(names: TlsNames, options: ReadonlyMap<string, string>): ServerTls['client'] {
  const cert = options.get(names.cert);
  const key = options.get(names.key);
  if (cert === undefined && key === undefined) return null;
  if (cert === undefined || key === undefined)
    throw new ServerUrlError(`${names.cert} and ${names.key} go together, and one of them is missing`);
  return { cert: resolve(cert), key: resolve(key) };
}

/** A CA that was named is there to be asked, whatever the mode: libpq reads `require` so, too. */
const withCa = (mode: TlsMode): TlsMode => (mode === 'require' ? 'verify-ca' : mode);

/**
 * What no option settles is safe: whatever leaves this machine is encrypted, and only for who proves to be the host.
 * (libpq's own default, `prefer`, protects from nobody who can touch the line: he answers that there is no TLS.)
 */
function tlsOf(names: TlsNames, host: string, options: ReadonlyMap<string, string>): ServerTls | null {
  const given = modeOf(names, options);
  const client = clientOf(names, options);
  const ca = options.get(names.ca) ?? null;
  const stray = [names.ca, names.cert, names.key].find((name) => options.has(name));
  const mode = given ?? (isRemote(host) || stray !== undefined ? 'verify-full' : 'off');
  if (mode === 'off') {
    if (stray !== undefined) throw new ServerUrlError(`${names.off} leaves ${stray} without a use`);
    return null;
  }
  if (mode === 'prefer' && stray !== undefined)
    throw new ServerUrlError(
      `${names.mode} is ${options.get(names.mode)}, which checks nothing: ${stray} has no use`,
    );
  if (ca === '') throw new ServerUrlError(`${names.ca} is empty`);
  const file = ca === null || ca === SYSTEM_CA ? ca : resolve(ca);
  return { mode: ca === null ? mode : withCa(mode), ca: file, client };
}

/** The scheme says whether: `rediss` is TLS, `redis` is not, and for another machine that must be said twice. */
function redisTls(url: URL, host: string, options: ReadonlyMap<string, string>): ServerTls | null {
  const names = TLS_NAMES.redis;
  const off = modeOf(names, options) === 'off';
  if (url.protocol === 'rediss:') {
    if (off) throw new ServerUrlError('rediss:// is TLS, and tls=false is not');
    return tlsOf(names, host, new Map([['tls', 'verify-full'], ...options]));
  }
  const stray = [...options.keys()].find((name) => name !== 'tls' || !off);
  if (stray !== undefined) throw new ServerUrlError(`${stray} needs a URL that begins with rediss://`);
  if (!off && isRemote(host))
    throw new ServerUrlError(
      'redis:// would send passwords and data to another machine in the clear: write rediss://, or add ?tls=false where the network between is trusted',
    );
  return null;
}

/** Reads a server's URL. Throws ServerUrlError. */
export function parseServerUrl(engine: Exclude<ServerEngine, 'mongodb'>, text: string): ServerUrl {
  if (!URL.canParse(text)) throw new ServerUrlError('it is not a URL');
  const url = new URL(text);
  const names = TLS_NAMES[engine];
  const options = readOptions(url.searchParams, {
    names: [names.mode, names.ca, names.cert, names.key],
  });
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const database = decodeURIComponent(url.pathname.slice(1));
  // Users cannot be kept to one of a server's databases.
  if (engine === 'redis' && database !== '' && database !== '0')
    throw new ServerUrlError('it must name database 0');
  const tls = engine === 'redis' ? redisTls(url, host, options) : tlsOf(names, host, options);
  return {
    ...{ host, port: Number(url.port || names.port), database },
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    ...(tls === null ? {} : { tls }),
  };
}

function fileProblem(names: TlsNames, { ca, client }: ServerTls): string | null {
  const inCa = ca === null || ca === SYSTEM_CA ? null : certificateProblem(names.ca, ca);
  if (inCa !== null || client === null) return inCa;
  return certificateProblem(names.cert, client.cert) ?? keyProblem(names.key, client);
}

/** Why a URL cannot be used, or null: its options, and the files that they name. */
export function serverUrlProblem(engine: ServerEngine, text: string): string | null {
  try {
    if (engine === 'mongodb') return mongodbUrlProblem(text);
    const { tls } = parseServerUrl(engine, text);
    return tls === undefined ? null : fileProblem(TLS_NAMES[engine], tls);
  } catch (error) {
    if (error instanceof ServerUrlError || error instanceof URIError) return error.message;
    throw error;
  }
}

/** The options that tell a tool how to reach the server as the board does; nothing of what the board shows itself by. */
export function toolOptions(engine: Exclude<ServerEngine, 'mongodb'>, tls: ServerTls | undefined): string {
  if (tls === undefined) return '';
  const names = TLS_NAMES[engine];
  const found = Object.entries(names.modes).find(([, mode]) => mode === tls.mode)?.[0] ?? '';
  const word = engine === 'mysql' ? found.toUpperCase() : found;
  const options = new URLSearchParams();
  // rediss:// says it already.
  if (engine !== 'redis' || tls.mode !== 'verify-full') options.set(names.mode, word);
  if (tls.ca !== null) options.set(names.ca, tls.ca);
  return options.size === 0 ? '' : `?${options}`;
}
