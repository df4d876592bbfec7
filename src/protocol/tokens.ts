import type { Principal } from './principal.ts';

export const TOKEN_ALGORITHMS = ['EdDSA', 'HS256'] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

/** What a token is to say, as the admin API takes it. */
export interface TokenRequest {
  readonly role: Principal['role'];
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Seconds. */
  readonly expiresIn?: number;
  readonly algorithm?: TokenAlgorithm;
}

export interface MintedToken {
  readonly token: string;
  readonly role: Principal['role'];
  readonly algorithm: TokenAlgorithm;
  /** ISO 8601, UTC. */
  readonly expiresAt: string;
}
