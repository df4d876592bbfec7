import { createHmac } from 'node:crypto';
import type { EngineKind } from '../../protocol/project.ts';

/**
 * Names of what a board makes in a server. The tag comes from its master key: two boards on one external server then
 * never take each other's databases for orphans. The rest is the project's reference, which tells nothing.
 */
export class ServerNames {
  readonly prefix: string;

  constructor(masterKey: Uint8Array, engine: EngineKind) {
    const tag = createHmac('sha256', masterKey).update(`${engine} server names`).digest('hex').slice(0, 8);
    this.prefix = `mag_${tag}_`;
  }

  /** Name of a project's database and of its role. */
  of(ref: string): string {
    return `${this.prefix}${ref}`;
  }
}

/** Between a project's name and what tells its credentials apart. */
const MARK = '_x_';

/** The user of a credential, beside the project's own. */
export const credentialUser = (project: string, id: string): string => `${project}${MARK}${id}`;

/** What the users of all of a project's credentials begin with. */
export const credentialPrefix = (project: string): string => `${project}${MARK}`;

/** The project that a user was made for: its own name, or what stands before the mark. */
export const projectOfUser = (name: string): string => name.split(MARK)[0] ?? name;

/** A project role's password: derived, so that it is stored nowhere and survives a kill at any step. */
export const rolePassword = (masterKey: Uint8Array, engine: EngineKind, ref: string): string =>
  createHmac('sha256', masterKey).update(`${engine}:${ref}`).digest('base64url');

/** PostgreSQL's names end at 63 bytes. */
export const isUsableRef = (ref: string): boolean => /^[a-z0-9_-]{1,48}$/.test(ref);
