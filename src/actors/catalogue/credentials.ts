import { createHmac } from 'node:crypto';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Credential, CredentialRequest, IssuedCredential } from '../../protocol/credentials.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { Host } from '../../runtime/host.ts';
import type { EngineProvider, NativeAccess } from '../storage/engine.ts';
import type { CredentialStore, StoredCredential } from './credential-store.ts';
import { checkName, makeRef } from './naming.ts';

export interface CredentialsOptions {
  readonly store: CredentialStore;
  readonly host: Host;
  readonly masterKey: Uint8Array;
  readonly note: (actor: string, action: string, target: string, outcome: string) => Promise<void>;
}

/** A project that credentials are asked for. */
export interface CredentialProject {
  readonly ref: string;
  readonly engine: EngineKind;
  readonly provider: EngineProvider;
}

const ID_CHARS = 8;

/**
 * Users of a project's database beside the board: made, rotated and taken back. The password is derived, so that it is
 * stored nowhere, and shown once. The engine is told before anybody is, and a row outlives a kill in between: what it
 * stands for is then made by a rotation, or taken back.
 */
export class Credentials {
  readonly #options: CredentialsOptions;

  constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  list(ref: string): readonly Credential[] {
    return this.#options.store.list(ref).map(shown);
  }

  /** Throws MAG_ENGINE_UNSUPPORTED, MAG_BAD_REQUEST or MAG_CREDENTIAL_LIMIT. */
  async create(
    project: CredentialProject,
    { name, mode }: CredentialRequest,
    actor: string,
  ): Promise<IssuedCredential> {
    const { store, host, note } = this.#options;
    const access = accessOf(project);
    const checked = checkName(name);
    if (store.list(project.ref).length >= LIMITS.projectCredentials)
      throw new MagError('MAG_CREDENTIAL_LIMIT', { limit: LIMITS.projectCredentials });
    const id = makeRef(host).slice(0, ID_CHARS);
    store.insert(project.ref, { id, name: checked, mode, createdAt: this.#now() });
    const target = `${project.ref}/${id}`;
    try {
      const issued = await this.#grant(project.ref, access, id);
      await note(actor, 'credential.create', target, mode);
      return issued;
    } catch (error) {
      await access.revoke(project.ref, id).then(
        () => store.remove(project.ref, id),
        () => {}, // It stays listed, and can be taken back by hand.
      );
      await note(actor, 'credential.create', target, describeError(error));
      throw error;
    }
  }

  /** Another password; who is connected with the old one is cut off. Throws MAG_CREDENTIAL_NOT_FOUND. */
  async rotate(project: CredentialProject, id: string, actor: string): Promise<IssuedCredential> {
    const { store, note } = this.#options;
    const access = accessOf(project);
    this.#require(project.ref, id);
    store.rotate(project.ref, id, this.#now());
    const issued = await this.#grant(project.ref, access, id);
    await note(actor, 'credential.rotate', `${project.ref}/${id}`, 'ok');
    return issued;
  }

  /** Whoever is connected with it is cut off. Throws MAG_CREDENTIAL_NOT_FOUND. */
  async revoke(project: CredentialProject, id: string, actor: string): Promise<void> {
    const { store, note } = this.#options;
    const access = accessOf(project);
    this.#require(project.ref, id);
    await access.revoke(project.ref, id);
    store.remove(project.ref, id);
    await note(actor, 'credential.revoke', `${project.ref}/${id}`, 'ok');
  }

  /** The project is gone, and its users with it. */
  forget(ref: string): void {
    this.#options.store.removeAll(ref);
  }

  async #grant(ref: string, access: NativeAccess, id: string): Promise<IssuedCredential> {
    const credential = this.#require(ref, id);
    const address = await access.grant(ref, id, credential.mode, this.#password(ref, credential));
    return { ...shown(credential), ...address };
  }

  #password(ref: string, { id, serial }: StoredCredential): string {
    return createHmac('sha256', this.#options.masterKey)
      .update(`credential:${ref}:${id}:${serial}`)
      .digest('base64url');
  }

  #require(ref: string, id: string): StoredCredential {
    const found = this.#options.store.find(ref, id);
    if (found === null) throw new MagError('MAG_CREDENTIAL_NOT_FOUND', { id: id.slice(0, 64), ref });
    return found;
  }

  #now(): string {
    return new Date(this.#options.host.wallTime()).toISOString();
  }
}

function accessOf({ engine, provider }: CredentialProject): NativeAccess {
  if (provider.access !== undefined) return provider.access;
  throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: 'be reached by its native protocol' });
}

const shown = ({ id, name, mode, createdAt, rotatedAt }: StoredCredential): Credential => ({
  ...{ id, name, mode },
  ...{ createdAt, rotatedAt },
});
