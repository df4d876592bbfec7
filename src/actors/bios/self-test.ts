import { createServer } from 'node:net';
import { MagError } from '../../errors.ts';
import type { Host } from '../../runtime/host.ts';
import { portHolder } from './port-holder.ts';

const OLDEST_NODE = 24;
/** No board can have been started before this version was written. */
const EARLIEST = Date.UTC(2026, 0, 1);

/** Throws MAG_COMPONENT_INVALID where this Node is older than what the code needs. */
export function checkRuntime(version: string = process.versions.node): void {
  if (Number.parseInt(version, 10) >= OLDEST_NODE) return;
  const problem = `Node ${version} is too old, ${OLDEST_NODE} or later is needed`;
  throw new MagError(
    'MAG_COMPONENT_INVALID',
    { component: 'runtime', problem },
    { hint: 'Install a newer Node.' },
  );
}

/** A clock that stands at the epoch would date every audit entry and expire every session wrongly. */
export function checkClock(host: Host): void {
  const now = host.wallTime();
  if (now >= EARLIEST) return;
  const problem = `the system clock says ${new Date(now).toISOString()}`;
  throw new MagError(
    'MAG_COMPONENT_INVALID',
    { component: 'clock', problem },
    { hint: 'Set the clock (NTP).' },
  );
}

/**
 * Proves that the address can be listened on, and settles port 0 to a free one, since all edge workers listen on the
 * same. Another process may still take it before they do; then the edge says so. Throws MAG_PORT_IN_USE, or
 * MAG_CONFIG_INVALID for an address that is not this machine's.
 */
export function choosePort(host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once('error', (error) => reject(explainListen(error, host, port)));
  server.listen({ host, port, exclusive: true }, () => {
    const address = server.address();
    const chosen = typeof address === 'object' && address !== null ? address.port : port;
    server.close(() => resolve(chosen));
  });
  return promise;
}

function explainListen(error: Error, host: string, port: number): MagError {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    const holder = portHolder(port);
    return new MagError(
      'MAG_PORT_IN_USE',
      { host, port },
      {
        cause: error,
        ...(holder === null ? {} : { hint: `Stop ${holder}, or set MAG_PORT (0 picks a free one).` }),
      },
    );
  }
  if (code === 'EACCES') {
    const problem = `this user may not listen on port ${port}`;
    const hint = 'Set MAG_PORT to 1024 or more.';
    return new MagError('MAG_CONFIG_INVALID', { setting: 'MAG_PORT', problem }, { cause: error, hint });
  }
  const problem = `${host} cannot be listened on (${error.message})`;
  const hint = 'Set MAG_HOST to an address of this machine, such as 127.0.0.1 or 0.0.0.0.';
  return new MagError('MAG_CONFIG_INVALID', { setting: 'MAG_HOST', problem }, { cause: error, hint });
}
