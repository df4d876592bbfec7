import { isIP } from 'node:net';
import { nearest } from '../bios/nearest.ts';

/** What a server's URL says that cannot be followed; the message never holds a secret. */
export class ServerUrlError extends Error {}

/** Whether what is sent there leaves this machine. */
export const isRemote = (host: string): boolean => {
  if (isIP(host) === 4) return !host.startsWith('127.');
  if (isIP(host) === 6) return host !== '::1';
  return host !== '' && host !== 'localhost' && !host.endsWith('.localhost');
};

export const quoted = (text: string): string => `"${text.slice(0, 60)}"`;

export interface KnownOptions {
  readonly names: readonly string[];
  /** Of the names, those that may stand there several times. */
  readonly repeated?: readonly string[];
}

/**
 * Each option under its known name, whatever its case. Throws ServerUrlError, with the nearest, for one that is not
 * known: one that is not minded could be the one that was to protect.
 */
export function readOptions(
  search: URLSearchParams,
  { names, repeated = [] }: KnownOptions,
): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const [written, value] of search) {
    const name = names.find((known) => known.toLowerCase() === written.toLowerCase());
    if (name === undefined)
      throw new ServerUrlError(
        `it has an unknown option ${quoted(written)}; did you mean ${nearest(written, names)}?`,
      );
    if (options.has(name) && !repeated.includes(name))
      throw new ServerUrlError(`it has the option ${name} twice`);
    options.set(name, value);
  }
  return options;
}
