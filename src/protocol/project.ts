import type { Grant, Principal } from './principal.ts';
import type { ServerTls } from './server-tls.ts';

export const ENGINE_KINDS = ['sqlite', 'postgres', 'mysql', 'mongodb', 'redis'] as const;
export type EngineKind = (typeof ENGINE_KINDS)[number];

/**
 * Who decides what anon and authenticated may do over REST. `grants`: the project's grants first, then the database's
 * own rules. `policies`, on PostgreSQL: its privileges and row level security alone.
 */
export const ACCESS_MODES = ['grants', 'policies'] as const;
export type AccessMode = (typeof ACCESS_MODES)[number];

export interface ProjectSettings {
  readonly grants: readonly Grant[];
  /** Absent: grants. */
  readonly access?: AccessMode;
  /** The schemas that REST reaches, on PostgreSQL; the first where a request names none. Absent: `public` alone. */
  readonly schemas?: readonly string[];
  /**
   * Schemas whose functions, operators and types SQL of a request finds without their name, after those of its own, on
   * PostgreSQL. Absent: `public`.
   */
  readonly extraSearchPath?: readonly string[];
  /** Rows that one list of a reply holds at most, of embedded ones too; writes give all back. Absent: the board's bound. */
  readonly maxRows?: number;
  /** Whether REST may sum, average and count: over a large table that costs as much as reading it. Absent: no. */
  readonly aggregates?: boolean;
  /** Whether REST shows how PostgreSQL runs a query: its tables, policies and costs. Absent: no. */
  readonly plans?: boolean;
  /** Whether replies of REST say how long each stage of their request took, to every key. Absent: no. */
  readonly serverTiming?: boolean;
  /** A function of PostgreSQL, `name` or `schema.name`, that runs before each query of a request. Absent: none. */
  readonly preRequest?: string;
}

/** How a session reaches a project's database. Holds secrets of servers: never logged, never sent to a client. */
export type Connection =
  | { readonly engine: 'sqlite'; readonly file: string }
  | {
      readonly engine: 'mysql';
      readonly host: string;
      readonly port: number;
      /** Absent: in the clear. */
      readonly tls?: ServerTls;
      readonly database: string;
      readonly user: string;
      readonly password: string;
    }
  | {
      readonly engine: 'postgres';
      readonly host: string;
      readonly port: number;
      /** Absent: in the clear. */
      readonly tls?: ServerTls;
      readonly database: string;
      readonly user: string;
      readonly password: string;
      /** Roles that its own may become for a request; requests of others run as its own. Absent: none. */
      readonly requestRoles?: readonly Principal['role'][];
    }
  | {
      readonly engine: 'redis';
      readonly host: string;
      readonly port: number;
      /** Absent: in the clear. */
      readonly tls?: ServerTls;
      readonly user: string;
      readonly password: string;
      /** What all of the project's keys begin with. */
      readonly prefix: string;
      /** The board's user that sees the names of all keys: for scans that leave out what is not the project's. */
      readonly scanner: { readonly user: string; readonly password: string };
    }
  | {
      readonly engine: 'mongodb';
      /** Hosts and options as a driver takes them, without credentials. */
      readonly url: string;
      readonly database: string;
      readonly user: string;
      readonly password: string;
      /**
       * Database of the board's records, where the server cannot keep one collection from a credential that may use the
       * others. Absent: the project's own.
       */
      readonly records?: string;
    };

export type ProjectStatus = 'provisioning' | 'ready' | 'dropping' | 'failed';

/** What the catalogue knows of a project. */
export interface ProjectRecord {
  readonly ref: string;
  readonly name: string;
  readonly engine: EngineKind;
  readonly status: ProjectStatus;
  /** Version of its API keys; a rotation adds one. */
  readonly keyVersion: number;
  readonly settings: ProjectSettings;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/** What a project's tokens (JWTs) are verified with. Holds a secret: never logged, never sent to a client. */
export interface TokenKeys {
  /** For HS256: its UTF-8 bytes are the key. */
  readonly secret: string;
  /** For EdDSA: an Ed25519 public key, base64url. */
  readonly publicKey: string;
  readonly keyId: string;
}

/** What an edge worker needs to serve a project; `version` grows with every change of it. */
export interface ProjectHandle extends ProjectRecord {
  readonly version: number;
  readonly connection: Connection;
  /** SHA-256 digests (hex) of the project's keys; a presented key is hashed and compared in constant time. */
  readonly keyDigests: { readonly anon: string; readonly service: string };
  /** Absent: no token is accepted. */
  readonly tokenKeys?: TokenKeys;
}

/** A project as the admin API shows it. */
export interface ProjectView {
  readonly ref: string;
  readonly name: string;
  readonly engine: EngineKind;
  readonly url: string;
  readonly status: ProjectStatus;
  readonly settings: ProjectSettings;
  readonly createdAt: string;
  /** Only in the reply to its creation, and to GET …/keys. */
  readonly keys?: { readonly anon: string; readonly service: string };
  /** The secret that the project's HS256 tokens are signed with; only where the keys were asked for. */
  readonly jwtSecret?: string;
}

export interface EngineAvailability {
  readonly engine: EngineKind;
  readonly available: boolean;
  /** How it is provided: `node:sqlite`, `embedded PostgreSQL 18`, `external`. */
  readonly provider: string | null;
  /** Why not, where it is not. */
  readonly why: string | null;
  /** How that is mended, where it is known. */
  readonly hint?: string;
  /** Whether its change feed works, and if not why. */
  readonly feed: { readonly available: boolean; readonly why: string | null };
}
