import { connect, isIP, type Socket } from 'node:net';
import { type ClientTls, tlsOptions } from '../tls-options.ts';
import type { MysqlTarget } from './connection.ts';

interface DriverTls {
  readonly ssl?: Pick<ClientTls, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'> & {
    readonly verifyIdentity: boolean;
  };
  readonly stream?: () => Socket;
}

/**
 * The driver lets `tls` compare a certificate with the host that the socket was connected to, which a socket knows of a
 * name alone: an address would be taken for `localhost`, whose certificates many have. So the socket is told.
 */
function namedSocket(host: string, port: number): Socket {
  const socket = connect(port, host);
  socket.setNoDelay(true);
  return Object.assign(socket, { _host: host });
}

/** What the driver is told of TLS. Throws where a file cannot be read. */
export function driverTls({ host, port, tls }: Pick<MysqlTarget, 'host' | 'port' | 'tls'>): DriverTls {
  if (tls === undefined) return {};
  const { ca, cert, key, rejectUnauthorized } = tlsOptions(tls, host);
  return {
    ssl: {
      ...{ rejectUnauthorized, verifyIdentity: tls.mode === 'verify-full' },
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    },
    ...(isIP(host) === 0 ? {} : { stream: () => namedSocket(host, port) }),
  };
}

/** Whether the server said that it has no TLS, and the operator's `ssl-mode=PREFERRED` lets that pass. */
export const tlsRefused = (tls: MysqlTarget['tls'], error: unknown): boolean =>
  tls?.mode === 'prefer' &&
  error instanceof Error &&
  'code' in error &&
  error.code === 'HANDSHAKE_NO_SSL_SUPPORT';
