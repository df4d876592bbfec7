import { describeError, isPublicError, MagError } from '../../errors.ts';
import type { ServerTls } from '../../protocol/server-tls.ts';
import { type ServerEngine, TLS_NAMES, type TlsNames } from './server-url.ts';

/** How an external server was to be reached. */
export interface Reach {
  readonly encrypted: boolean;
  /** Whether a file of CAs was named. */
  readonly ca: boolean;
}

export const reachOf = (tls: ServerTls | undefined): Reach => ({
  encrypted: tls !== undefined,
  ca: tls?.ca !== undefined && tls.ca !== null,
});

interface Finding {
  readonly why: string;
  readonly hint: string;
}

type Names = Pick<TlsNames, 'setting' | 'ca' | 'cert' | 'key' | 'off'> & { readonly on: string };

const NAMES: Readonly<Record<ServerEngine, Names>> = {
  postgres: { ...TLS_NAMES.postgres, on: 'sslmode=verify-full' },
  mysql: { ...TLS_NAMES.mysql, on: 'ssl-mode=VERIFY_IDENTITY' },
  redis: { ...TLS_NAMES.redis, on: 'a URL that begins with rediss://', off: 'redis:// with tls=false' },
  mongodb: {
    ...{ setting: 'MAG_MONGODB_URL', ca: 'tlsCAFile', off: 'tls=false', on: 'tls=true' },
    ...{ cert: 'tlsCertificateKeyFile', key: 'tlsCertificateKeyFile' },
  },
};

/** OpenSSL's words, as Node's codes, for a chain that ends at nobody we know. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_GET_ISSUER_CERT'],
  ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_SIGNATURE_FAILURE'],
  ...['CERT_UNTRUSTED', 'INVALID_CA', 'INVALID_PURPOSE'],
]);
/** The same as drivers pass it on that put a code of their own in its place. */
const UNTRUSTED_WORDS =
  /self-signed certificate|unable to (?:get (?:local )?issuer certificate|verify the first certificate)/;
const OUTDATED = /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate (?:has expired|is not yet valid)/;
const OTHER_HOST = /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/;
/** What a server answers that takes no TLS: by its protocol, or by bytes that are none of TLS's. */
const NO_TLS =
  /does not support (?:SSL|secure) connection|disconnected before secure TLS|HANDSHAKE_NO_SSL_SUPPORT|ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)/i;
/** PostgreSQL, MySQL, MariaDB; the others only close the connection. */
const TLS_ONLY =
  /no pg_hba\.conf entry .*(?:no encryption|SSL off)|insecure transport are prohibited|require_secure_transport/i;
const CLOSED =
  /Connection is closed|connection \S+ to \S+ closed|ECONNRESET|socket hang up|closed the connection/i;
/** Redis takes the first bytes of TLS for a command that is yet to end. */
const SILENT = /no answer within/;
const CLIENT_WANTED =
  /requires a valid client certificate|certificate[_ ]required|ALERT_(?:HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA)/i;

/** An error and what it came from, and what a driver that tried several servers holds of each. */
function* chain(error: unknown): Generator<Error> {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth += 1) {
    yield current;
    const servers: unknown = Reflect.get(Object(Reflect.get(current, 'reason')), 'servers');
    const failed =
      servers instanceof Map
        ? [...servers.values()].map((server) => Reflect.get(Object(server), 'error'))
        : [];
    current = current.cause ?? failed.find((each) => each instanceof Error);
  }
}

const wordsOf = (errors: readonly Error[]): readonly string[] =>
  errors.flatMap((error) => [String(Reflect.get(error, 'code') ?? ''), error.message]);

function certificateFinding(words: readonly string[], names: Names, { ca }: Reach): Finding | null {
  const found = (pattern: RegExp): string | undefined => words.find((word) => pattern.test(word));
  const code = words.find((word) => UNTRUSTED.has(word)) ?? found(UNTRUSTED_WORDS);
  if (code !== undefined)
    return {
      why: `the server’s certificate is not signed by ${ca ? `a CA of the file in ${names.ca}` : 'any CA that this machine trusts'} (${code})`,
      hint: `Name the file of the CA that signed it in ${names.setting}, as ${names.ca}=FILE.`,
    };
  if (found(OTHER_HOST) !== undefined)
    return {
      why: `the server’s certificate is for another host (${words.find((word) => word.includes('altnames')) ?? 'none of its names is this one'})`,
      hint: `Call the server in ${names.setting} by a name that its certificate has.`,
    };
  const outdated = found(OUTDATED);
  if (outdated === undefined) return null;
  return {
    why: `the server’s certificate is not valid today (${outdated})`,
    hint: 'Renew it, and look at the clocks of both machines.',
  };
}

function find(engine: ServerEngine, error: unknown, reach: Reach): Finding | null {
  const names = NAMES[engine];
  const words = wordsOf([...chain(error)]);
  const says = (pattern: RegExp): boolean => words.some((word) => pattern.test(word));
  const certificate = certificateFinding(words, names, reach);
  if (certificate !== null) return certificate;
  if (says(CLIENT_WANTED))
    return {
      why: 'the server wants to see a certificate of ours, or does not take the one it saw',
      hint: `Name ${names.cert === names.key ? `both in one file, as ${names.cert}=FILE,` : `them as ${names.cert}=FILE and ${names.key}=FILE`} in ${names.setting}.`,
    };
  if (reach.encrypted && says(NO_TLS))
    return {
      why: 'the server does not answer in TLS',
      hint: `Switch TLS on at the server, or, where the network between is trusted, say ${names.off} in ${names.setting}.`,
    };
  if (engine === 'redis' && reach.encrypted && says(SILENT))
    return {
      why: 'the server does not answer, as one does that takes no TLS at this port',
      hint: `Name the port that takes TLS in ${names.setting}, or say ${names.off}.`,
    };
  if (!reach.encrypted && (says(TLS_ONLY) || says(CLOSED)))
    return {
      why: says(TLS_ONLY)
        ? 'the server refuses connections in the clear'
        : 'the server closed the connection without a word, as one does that takes TLS alone',
      hint: `Say ${names.on} in ${names.setting}, with ${names.ca}=FILE where a CA of your own signed its certificate.`,
    };
  return null;
}

/** A server that cannot be reached because of how TLS is set up, here or there. */
class TlsRefusal extends MagError {
  readonly why: string;

  constructor(engine: ServerEngine, { why, hint }: Finding, cause: unknown) {
    super('MAG_ENGINE_UNAVAILABLE', { engine, why }, { cause, hint });
    this.why = why;
  }
}

/** The failure to reach an external server as MAG_ENGINE_UNAVAILABLE: in our own words where TLS is the reason. */
export function unreachable(engine: ServerEngine, error: unknown, reach: Reach | null): Error {
  if (isPublicError(error)) return error;
  const finding = reach === null ? null : find(engine, error, reach);
  if (finding !== null) return new TlsRefusal(engine, finding, error);
  return new MagError('MAG_ENGINE_UNAVAILABLE', { engine, why: describeError(error) }, { cause: error });
}

/** What an operator is told of such a failure: why, and how it is mended where that is known. */
export const reasonOf = (error: unknown): { readonly why: string; readonly hint?: string } =>
  error instanceof TlsRefusal && error.hint !== null
    ? { why: error.why, hint: error.hint }
    : { why: describeError(error) };
