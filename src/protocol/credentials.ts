/** `read`: may look at everything in the project's database; `write`: may do what the project's own role may. */
export const CREDENTIAL_MODES = ['read', 'write'] as const;
export type CredentialMode = (typeof CREDENTIAL_MODES)[number];

/** A user of the project's own database for tools that speak its native protocol: psql, a BI tool, a driver. */
export interface Credential {
  readonly id: string;
  /** What it is for, in the words of whoever made it. */
  readonly name: string;
  readonly mode: CredentialMode;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly rotatedAt: string | null;
}

/** How a tool reaches the database under a credential. Holds a secret: shown where it is made or rotated, and nowhere else. */
export interface NativeAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** The same in one, as the engine's tools take it. */
  readonly url: string;
}

export type IssuedCredential = Credential & NativeAddress;

export interface CredentialRequest {
  readonly name: string;
  readonly mode: CredentialMode;
}

/** What to do: with whom by its id. */
export type CredentialChange =
  | { readonly create: CredentialRequest }
  | { readonly rotate: string }
  | { readonly revoke: string };
