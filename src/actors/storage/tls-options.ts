import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, getCACertificates, type PeerCertificate } from 'node:tls';
import { type ServerTls, SYSTEM_CA } from '../../protocol/server-tls.ts';

/** The part of `tls.connect`'s options that we set. */
export interface ClientTls {
  readonly rejectUnauthorized: boolean;
  readonly checkServerIdentity: (name: string, certificate: PeerCertificate) => Error | undefined;
  readonly ca?: string | string[];
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** PEM, or undefined for what Node brings. */
function authorities(ca: string | null): string | string[] | undefined {
  if (ca === null) return undefined;
  return ca === SYSTEM_CA ? getCACertificates('system') : readFileSync(ca, 'utf8');
}

/**
 * What `tls.connect` and the drivers on it take. The files are read anew: one that was renewed counts from the next
 * connection on. Throws the system's error where one cannot be read.
 */
export function tlsOptions({ mode, ca, client }: ServerTls, host: string): ClientTls {
  const found = authorities(ca);
  return {
    rejectUnauthorized: mode === 'verify-ca' || mode === 'verify-full',
    // By the host that was called, and not by what a driver takes for it: for an address some take `localhost`.
    checkServerIdentity: (_name, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
    ...(found === undefined ? {} : { ca: found }),
    ...(client === null
      ? {}
      : { cert: readFileSync(client.cert, 'utf8'), key: readFileSync(client.key, 'utf8') }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
}
