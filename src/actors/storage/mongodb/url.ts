import { certificateProblem } from '../tls-files.ts';
import { isRemote, type KnownOptions, readOptions, ServerUrlError } from '../url-options.ts';

/** How a project reaches the server, without the administrator's credentials. */
export interface MongodbPlace {
  readonly url: string;
  readonly admin: { readonly user: string; readonly password: string } | null;
  readonly authSource: string;
}

/** The options of MongoDB's URL format, as its drivers know them. */
const OPTIONS: KnownOptions = {
  names: [
    ...['tls', 'ssl', 'tlsCAFile', 'tlsCertificateKeyFile', 'tlsCertificateKeyFilePassword'],
    ...['tlsAllowInvalidCertificates', 'tlsAllowInvalidHostnames', 'tlsInsecure', 'tlsCRLFile'],
    ...['authSource', 'authMechanism', 'authMechanismProperties', 'replicaSet', 'directConnection'],
    ...['loadBalanced', 'srvMaxHosts', 'srvServiceName', 'appName', 'compressors', 'zlibCompressionLevel'],
    ...['connectTimeoutMS', 'socketTimeoutMS', 'serverSelectionTimeoutMS', 'heartbeatFrequencyMS'],
    ...['localThresholdMS', 'waitQueueTimeoutMS', 'timeoutMS', 'maxPoolSize', 'minPoolSize', 'maxIdleTimeMS'],
    ...['maxConnecting', 'readConcernLevel', 'readPreference', 'readPreferenceTags', 'maxStalenessSeconds'],
    ...['w', 'wtimeoutMS', 'journal', 'retryWrites', 'retryReads', 'serverMonitoringMode'],
    ...['proxyHost', 'proxyPort', 'proxyUsername', 'proxyPassword'],
  ],
  repeated: ['readPreferenceTags'],
};

/** Options that say who the board is, which no tool is told. */
const OWN = ['tlsCertificateKeyFile', 'tlsCertificateKeyFilePassword', 'proxyUsername', 'proxyPassword'];

/** Several hosts are no URL to the platform's parser. */
const SHAPE = /^(mongodb(?:\+srv)?:\/\/)(?:([^@/]*)@)?([^@/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;

const nameOf = (place: string): string => place.replace(/:\d*$/, '').replace(/^\[|\]$/g, '');

/** Safe where nothing is said, as the drivers are for `mongodb+srv`: what leaves this machine is encrypted. */
function withTls(scheme: string, hosts: string, options: URLSearchParams): void {
  const says = [...options.keys()].some((name) => ['tls', 'ssl'].includes(name.toLowerCase()));
  if (says || scheme === 'mongodb+srv://') return;
  const uses = [...options.keys()].some((name) => name.toLowerCase().startsWith('tls'));
  if (uses || hosts.split(',').some((place) => isRemote(nameOf(place)))) options.set('tls', 'true');
}

/**
 * Takes the credentials out of a URL, and leaves its hosts and options; without a word on TLS it is switched on for
 * hosts that are not this machine's own. Throws ServerUrlError.
 */
export function parseMongodbUrl(text: string): MongodbPlace {
  const found = SHAPE.exec(text);
  if (found === null) throw new ServerUrlError('it is no URL of MongoDB’s format');
  const [, scheme = '', credentials, hosts = '', database = '', search = ''] = found;
  const options = new URLSearchParams(search);
  const known = readOptions(options, OPTIONS);
  const authSource = known.get('authSource') ?? (database === '' ? 'admin' : decodeURIComponent(database));
  for (const name of [...options.keys()])
    if (['authsource', 'authmechanism'].includes(name.toLowerCase())) options.delete(name);
  withTls(scheme, hosts, options);
  const url = `${scheme}${hosts}/${options.size === 0 ? '' : `?${options}`}`;
  if (credentials === undefined) return { url, admin: null, authSource };
  const [user = '', password = ''] = credentials.split(':').map(decodeURIComponent);
  return { url, admin: { user, password }, authSource };
}

/** Why the URL cannot be used, or null. Throws ServerUrlError. */
export function mongodbUrlProblem(text: string): string | null {
  parseMongodbUrl(text);
  const options = readOptions(new URLSearchParams(SHAPE.exec(text)?.[5] ?? ''), OPTIONS);
  for (const name of [
    'tls',
    'ssl',
    'tlsInsecure',
    'tlsAllowInvalidCertificates',
    'tlsAllowInvalidHostnames',
  ]) {
    const value = options.get(name) ?? 'true';
    if (!['true', 'false'].includes(value)) return `${name} is neither true nor false`;
  }
  if ((options.get('tls') ?? options.get('ssl')) === 'false') {
    const stray = [...options.keys()].find((name) => name !== 'tls' && name.startsWith('tls'));
    if (stray !== undefined) return `tls=false leaves ${stray} without a use`;
  }
  for (const name of ['tlsCAFile', 'tlsCertificateKeyFile']) {
    const file = options.get(name);
    const problem = file === undefined ? null : certificateProblem(name, file);
    if (problem !== null) return problem;
  }
  return null;
}

/** Whether the URL's connections are encrypted. */
export const usesTls = (url: string): boolean => {
  const [, scheme, , , , search = ''] = SHAPE.exec(url) ?? [];
  const options = readOptions(new URLSearchParams(search), OPTIONS);
  const said = options.get('tls') ?? options.get('ssl');
  return said === undefined ? scheme === 'mongodb+srv://' : said === 'true';
};

/** Whether the URL names a file of CAs. */
export const namesCa = (url: string): boolean => /[?&]tlsCAFile=/i.test(url);

/** How long the operator would wait for a server, at most `most` milliseconds. */
export const selectionMs = (url: string, most: number): number =>
  Math.min(most, Number(/[?&]serverSelectionTimeoutMS=([1-9]\d{0,8})(?:&|$)/i.exec(url)?.[1] ?? most));

/** The board's URL with another user in it, and nothing of what the board shows itself by. */
export function toolUrl(url: string, database: string, user: string, password: string): string {
  const [, scheme = '', , hosts = '', , search = ''] = SHAPE.exec(url) ?? [];
  const options = new URLSearchParams(search);
  for (const name of [...options.keys()])
    if (OWN.some((own) => own.toLowerCase() === name.toLowerCase())) options.delete(name);
  options.set('authSource', database);
  return `${scheme}${user}:${password}@${hosts}/${database}?${options}`;
}

/** The first of its servers. */
export function firstHost(url: string): { readonly host: string; readonly port: number } {
  const place = (SHAPE.exec(url)?.[3] ?? '').split(',')[0] ?? '';
  return { host: nameOf(place), port: Number(/:(\d+)$/.exec(place)?.[1] ?? 27_017) };
}
