import type { ActorCommand, ActorNode } from './actor-node.ts';
import type { BoardStatus } from './board-status.ts';
import type { Credential, CredentialChange, IssuedCredential } from './credentials.ts';
import type { EngineAvailability, EngineKind, ProjectHandle, ProjectView } from './project.ts';
import type { MintedToken, TokenRequest } from './tokens.ts';

/**
 * What an edge worker asks of the main thread's `board/admin`, already validated at the gate.
 * `actor` says on whose behalf, for the audit trail: `admin`, `console`, `cli`.
 */
export interface AdminRequests {
  /** Checks a presented admin key or console session token; false is no error. */
  ADMIN_VERIFY: { readonly request: { readonly credential: string }; readonly reply: boolean };
  /** Opens a console session for the admin key or for a one-time login ticket. Throws MAG_ADMIN_KEY_INVALID. */
  SESSION_OPEN: {
    readonly request: { readonly key: string } | { readonly ticket: string };
    readonly reply: { readonly token: string; readonly expiresInSeconds: number };
  };
  SESSION_CLOSE: { readonly request: { readonly token: string }; readonly reply: null };
  PROJECT_CREATE: {
    readonly request: { readonly name: string; readonly engine: EngineKind; readonly actor: string };
    readonly reply: ProjectView;
  };
  PROJECT_LIST: { readonly request: object; readonly reply: readonly ProjectView[] };
  PROJECT_GET: { readonly request: { readonly ref: string }; readonly reply: ProjectView };
  PROJECT_KEYS: {
    readonly request: { readonly ref: string; readonly actor: string };
    readonly reply: ProjectView;
  };
  /** New keys in place of the old ones, which are refused from then on. */
  PROJECT_ROTATE: {
    readonly request: { readonly ref: string; readonly actor: string };
    readonly reply: ProjectView;
  };
  /** A signed token of the project, so that an app can be tried as one of its users. Throws MAG_BAD_REQUEST. */
  PROJECT_TOKEN: {
    readonly request: { readonly ref: string; readonly token: TokenRequest; readonly actor: string };
    readonly reply: MintedToken;
  };
  CREDENTIAL_LIST: { readonly request: { readonly ref: string }; readonly reply: readonly Credential[] };
  /** Null for one that was revoked. Throws as Catalogue.credential does. */
  CREDENTIAL_CHANGE: {
    readonly request: { readonly ref: string; readonly change: CredentialChange; readonly actor: string };
    readonly reply: IssuedCredential | null;
  };
  /** Throws MAG_BAD_REQUEST or MAG_FILTER_INVALID for settings that are not valid. */
  PROJECT_SETTINGS: {
    readonly request: {
      readonly ref: string;
      readonly settings: unknown;
      /** Whether what they do not name stays as it is. */
      readonly merge?: boolean;
      readonly actor: string;
    };
    readonly reply: ProjectView;
  };
  PROJECT_DELETE: {
    readonly request: { readonly ref: string; readonly actor: string };
    readonly reply: null;
  };
  /** For an edge worker or the feed worker: how to serve a project; null where there is none that is ready. */
  PROJECT_RESOLVE: {
    /** `refused`: the database turned the project's own role away, so its password is set anew first. */
    readonly request: { readonly ref: string; readonly refused?: boolean };
    readonly reply: ProjectHandle | null;
  };
  ENGINES: { readonly request: object; readonly reply: readonly EngineAvailability[] };
  ACTORS: { readonly request: object; readonly reply: ActorNode };
  ACTOR_COMMAND: {
    readonly request: {
      readonly path: string;
      readonly command: ActorCommand;
      readonly reason: string;
      readonly actor: string;
      /** For crash: `exit` and `spin` are committed by an edge worker's own thread; default throw. */
      readonly fault?: 'throw' | 'exit' | 'spin';
    };
    readonly reply: null;
  };
  STATUS: { readonly request: object; readonly reply: BoardStatus };
  /** Prometheus text of the whole board. */
  METRICS: { readonly request: object; readonly reply: string };
}

export type AdminRequestType = keyof AdminRequests;

/** The main thread as an edge worker sees it. Rejects with the error that the handler threw, code and all. */
export interface AdminPort {
  request<Type extends AdminRequestType>(
    type: Type,
    request: AdminRequests[Type]['request'],
  ): Promise<AdminRequests[Type]['reply']>;
}
