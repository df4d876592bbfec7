/**
 * How a connection to a server outside the board is encrypted. `prefer` and `require` take whoever answers; `verify-ca`
 * asks for a certificate that the CA signed, `verify-full` for one in the name of the host that was called, too.
 */
export const TLS_MODES = ['prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

/**
 * Files are named, not held: each thread reads them when it connects, so that one that is renewed is used from the next
 * connection on, and no private key travels.
 */
export interface ServerTls {
  readonly mode: TlsMode;
  /** File of the CA's certificates; `system`: those of the operating system; null: those that Node brings. */
  readonly ca: string | null;
  /** Files that we show ourselves by. */
  readonly client: { readonly cert: string; readonly key: string } | null;
}

export const SYSTEM_CA = 'system';
