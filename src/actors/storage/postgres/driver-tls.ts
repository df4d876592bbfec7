import type { ServerTls } from '../../../protocol/server-tls.ts';
import { type ClientTls, tlsOptions } from '../tls-options.ts';

/** What the driver is told of TLS; false, or it would look into the environment. Throws where a file cannot be read. */
export const driverTls = ({
  host,
  tls,
}: {
  readonly host: string;
  readonly tls?: ServerTls;
}): { readonly ssl: ClientTls | false } => ({
  ssl: tls === undefined ? false : tlsOptions(tls, host),
});

/** Whether the server said that it has no TLS, and the operator's `sslmode=prefer` lets that pass. */
export const tlsRefused = (tls: ServerTls | undefined, error: unknown): boolean =>
  tls?.mode === 'prefer' && error instanceof Error && error.message.includes('does not support SSL');
