import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Credential, CredentialChange, IssuedCredential } from '../../protocol/credentials.ts';
import {
  ENGINE_KINDS,
  type EngineAvailability,
  type EngineKind,
  type ProjectHandle,
  type ProjectView,
} from '../../protocol/project.ts';
import type { MintedToken, TokenRequest } from '../../protocol/tokens.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { digestKeys, projectKeys } from '../psu/project-keys.ts';
import { tokenKeys } from '../psu/token-keys.ts';
import { mintToken } from '../psu/token-mint.ts';
import type { EngineProvider } from '../storage/engine.ts';
import { Turns } from '../storage/turns.ts';
import { openBoardDatabase } from './board-database.ts';
import { CredentialStore } from './credential-store.ts';
import { Credentials, type CredentialsOptions } from './credentials.ts';
import { checkSettings } from './grants.ts';
import { checkName } from './naming.ts';
import { ProjectStore, type StoredProject } from './project-store.ts';
import { type Recovery, recoverProjects } from './recovery.ts';
import { mergeSettings } from './settings-change.ts';
import { type Claim, Spares } from './spares.ts';

export interface CatalogueOptions {
  /** The board's database file. */
  readonly file: string;
  readonly host: Host;
  readonly log: Log;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly masterKey: Uint8Array;
  readonly providers: ReadonlyMap<EngineKind, EngineProvider>;
  /** Where the board is reached, without a slash at the end. */
  readonly baseUrl: () => string;
  /** Throws where a grant's row filter does not parse. */
  readonly validateUsing: (text: string) => void;
  /** Engines that have a URL in the configuration, for those that this version has no provider of. */
  readonly configured?: ReadonlySet<EngineKind>;
}

/** The projects of this board: the one place that says which exist, and where their databases are. */
export interface Catalogue {
  create(name: string, engine: EngineKind, actor: string): Promise<ProjectView>;
  list(): readonly ProjectView[];
  /** Throws MAG_PROJECT_NOT_FOUND, as every method that takes a ref but resolve. */
  get(ref: string): ProjectView;
  /** The view with its keys; the look at them is audited. */
  keys(ref: string, actor: string): Promise<ProjectView>;
  /** New keys; the old ones are refused from now on, and sockets that came with them are closed. */
  rotate(ref: string, actor: string): Promise<ProjectView>;
  /** A signed token of the project. Throws MAG_BAD_REQUEST. */
  token(ref: string, request: TokenRequest, actor: string): Promise<MintedToken>;
  /**
   * `merge`: what they do not name stays as it is, else it becomes the default. Throws MAG_BAD_REQUEST,
   * MAG_FILTER_INVALID or MAG_ENGINE_UNSUPPORTED for settings that are not valid.
   */
  settings(ref: string, settings: unknown, actor: string, merge?: boolean): Promise<ProjectView>;
  /** Users of the project's database for tools beside the board, without their passwords. */
  credentials(ref: string): readonly Credential[];
  /** Throws MAG_ENGINE_UNSUPPORTED, MAG_BAD_REQUEST, MAG_CREDENTIAL_LIMIT, or MAG_CREDENTIAL_NOT_FOUND for another id. */
  credential(ref: string, change: CredentialChange, actor: string): Promise<IssuedCredential | null>;
  /** Resolves when the database is gone. A drop that failed may be tried again. */
  remove(ref: string, actor: string): Promise<void>;
  /**
   * How to serve the project, or null where none is ready under this ref. Starts its engine's server; `refused` says
   * that this turned the project's role away, whose password is then set anew.
   */
  resolve(ref: string, refused?: boolean): Promise<ProjectHandle | null>;
  engines(): Promise<readonly EngineAvailability[]>;
  /** Finishes or undoes what a kill interrupted and removes what no project owns. Call once before serving. */
  recover(): Promise<Recovery>;
  /** The project `demo` on SQLite, made once in a board's life; null where the operator deleted it. */
  ensureDemo(): Promise<ProjectView | null>;
  /** Fires after a project changed in any way, with its ref. Returns how to stop. */
  onChange(listener: (ref: string) => void): () => void;
  /** Removes databases that were made ahead. Call before close, while the engines are up; a kill leaves it to recover(). */
  retire(): Promise<void>;
  close(): void;
}

const DEMO = 'demo';

class CatalogueService implements Catalogue {
  readonly #options: CatalogueOptions;
  readonly #database: ReturnType<typeof openBoardDatabase>;
  readonly #store: ProjectStore;
  readonly #credentials: Credentials;
  readonly #listeners = new Set<(ref: string) => void>();
  /** Two operations on one project never overlap. */
  readonly #turns = new Turns();
  readonly #spares: Spares;

  constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#database = openBoardDatabase(options.file, new Date(options.host.wallTime()).toISOString());
    this.#store = new ProjectStore(this.#database);
    const { host, masterKey, log } = options;
    this.#spares = new Spares(host, log);
    const note: CredentialsOptions['note'] = (...event) => this.#note(...event);
    this.#credentials = new Credentials({
      ...{ store: new CredentialStore(this.#database), host },
      ...{ masterKey, note },
    });
  }

  async create(name: string, engine: EngineKind, actor: string): Promise<ProjectView> {
    const checked = checkName(name);
    const provider = this.#provider(engine);
    if (this.#store.findByName(checked) !== null)
      throw new MagError('MAG_PROJECT_NAME_TAKEN', { name: checked });
    if (this.#store.count() >= LIMITS.projects)
      throw new MagError('MAG_PROJECT_LIMIT', { limit: LIMITS.projects });
    const claim = this.#spares.claim(provider);
    const { ref } = claim;
    const createdAt = new Date(this.#options.host.wallTime()).toISOString();
    // From here on a kill leaves a row by which recover() finishes the work.
    this.#store.insert({ ref, name: checked, engine, createdAt });
    return this.#turns.in(ref, () => this.#provision(claim, provider, actor));
  }

  async #provision(
    { ref, provisioned }: Claim,
    provider: EngineProvider,
    actor: string,
  ): Promise<ProjectView> {
    try {
      await provisioned();
    } catch (error) {
      await this.#undo(ref, provider);
      await this.#note(actor, 'project.create', ref, describeError(error));
      throw error;
    }
    this.#store.setStatus(ref, 'ready');
    this.#changed(ref);
    await this.#note(actor, 'project.create', ref, 'ok');
    return { ...this.get(ref), keys: this.#keysOf(this.#require(ref)) };
  }

  /** Takes back a creation that failed; what cannot be taken back now is left to recover(). */
  async #undo(ref: string, provider: EngineProvider): Promise<void> {
    this.#store.setStatus(ref, 'failed');
    try {
      await provider.drop(ref);
      this.#store.remove(ref);
    } catch (error) {
      this.#options.log.warn(
        { ref, error: describeError(error) },
        'a failed project could not be removed yet',
      );
    }
    this.#changed(ref);
  }

  list(): readonly ProjectView[] {
    return this.#store.all().map((project) => this.#view(project));
  }

  get(ref: string): ProjectView {
    return this.#view(this.#require(ref));
  }

  async keys(ref: string, actor: string): Promise<ProjectView> {
    const project = this.#require(ref);
    await this.#note(actor, 'project.keys', ref, 'ok');
    return this.#withKeys(project);
  }

  async rotate(ref: string, actor: string): Promise<ProjectView> {
    this.#require(ref);
    return this.#turns.in(ref, async () => {
      this.#require(ref);
      this.#store.rotateKeys(ref);
      this.#changed(ref);
      await this.#note(actor, 'project.rotate', ref, 'ok');
      return this.#withKeys(this.#require(ref));
    });
  }

  async token(ref: string, request: TokenRequest, actor: string): Promise<MintedToken> {
    const { keyVersion: version } = this.#require(ref);
    const { masterKey, host } = this.#options;
    const minted = mintToken(
      { masterKey, ref, version, url: this.#urlOf(ref), now: host.wallTime() },
      request,
    );
    await this.#note(actor, 'project.token', ref, `${minted.role} until ${minted.expiresAt}`);
    return minted;
  }

  async settings(ref: string, given: unknown, actor: string, merge = false): Promise<ProjectView> {
    this.#require(ref);
    return this.#turns.in(ref, async () => {
      const { engine, settings } = this.#require(ref);
      const wanted = merge ? mergeSettings(settings, given) : given;
      const checked = checkSettings(wanted, engine, this.#options.validateUsing);
      this.#store.setSettings(ref, checked);
      this.#changed(ref);
      await this.#note(actor, 'project.settings', ref, 'ok');
      return this.get(ref);
    });
  }

  credentials(ref: string): readonly Credential[] {
    this.#require(ref);
    return this.#credentials.list(ref);
  }

  async credential(ref: string, change: CredentialChange, actor: string): Promise<IssuedCredential | null> {
    const { engine } = this.#require(ref);
    const project = { ref, engine, provider: this.#provider(engine) };
    return this.#turns.in(ref, async () => {
      this.#require(ref);
      if ('create' in change) return this.#credentials.create(project, change.create, actor);
      if ('rotate' in change) return this.#credentials.rotate(project, change.rotate, actor);
      await this.#credentials.revoke(project, change.revoke, actor);
      return null;
    });
  }

  async remove(ref: string, actor: string): Promise<void> {
    const { engine } = this.#require(ref);
    const provider = this.#provider(engine);
    await this.#turns.in(ref, async () => {
      // Somebody may have deleted it while we waited: then it is done.
      if (this.#store.find(ref) === null) return;
      this.#store.setStatus(ref, 'dropping');
      this.#changed(ref);
      try {
        await provider.drop(ref);
      } catch (error) {
        await this.#note(actor, 'project.delete', ref, describeError(error));
        throw error;
      }
      this.#credentials.forget(ref);
      this.#store.remove(ref);
      this.#changed(ref);
      // With the last project of an engine goes what was made ahead for the next one.
      if (this.#spares.isUsed(engine) && !this.#isUsed(engine)) await this.#spares.drop(provider);
      await this.#note(actor, 'project.delete', ref, 'ok');
    });
  }

  async resolve(ref: string, refused = false): Promise<ProjectHandle | null> {
    if (this.#store.find(ref)?.status !== 'ready') return null;
    const provider = this.#provider(this.#require(ref).engine);
    if (refused) await this.#readmit(ref, provider);
    const connection = await provider.connect(ref);
    // Read again: it may have changed while the engine's server was starting.
    const project = this.#store.find(ref);
    if (project?.status !== 'ready') return null;
    const verification = tokenKeys(this.#options.masterKey, ref, project.keyVersion);
    return {
      ...project,
      connection,
      keyDigests: digestKeys(this.#keysOf(project)),
      tokenKeys: verification,
    };
  }

  /** Tenant SQL may change its own role's password, which would shut us out of the project for good. */
  async #readmit(ref: string, provider: EngineProvider): Promise<void> {
    this.#options.log.warn({ ref }, 'the database refused the role of a project; its password is set anew');
    await this.#turns.in(ref, async () => {
      if (this.#store.find(ref)?.status === 'ready') await provider.provision(ref);
    });
  }

  engines(): Promise<readonly EngineAvailability[]> {
    return Promise.all(
      ENGINE_KINDS.map((engine) => {
        const provider = this.#options.providers.get(engine);
        return provider === undefined ? this.#notYet(engine) : provider.availability();
      }),
    );
  }

  #notYet(engine: EngineKind): EngineAvailability {
    const configured = this.#options.configured?.has(engine) === true;
    const why = `not in this version yet${configured ? '; its URL in the configuration is not used' : ''}`;
    return { engine, available: false, provider: null, why, feed: { available: false, why } };
  }

  async recover(): Promise<Recovery> {
    const { audit, log, providers } = this.#options;
    const recovery = await recoverProjects({ store: this.#store, providers, log });
    for (const line of recovery.lines) {
      await audit.append({ actor: 'board', action: 'project.recover', reason: null, ...line });
      this.#changed(line.target);
    }
    return recovery;
  }

  async ensureDemo(): Promise<ProjectView | null> {
    const existing = this.#store.findByName(DEMO);
    if (existing !== null || this.#store.fact(DEMO) !== null) {
      return existing === null ? null : { ...this.#view(existing), keys: this.#keysOf(existing) };
    }
    const made = await this.create(DEMO, 'sqlite', 'board');
    this.#store.setFact(DEMO, made.ref);
    return made;
  }

  onChange(listener: (ref: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async retire(): Promise<void> {
    this.#spares.close();
    const { providers, host } = this.#options;
    const dropped = Promise.all([...providers.values()].map((provider) => this.#spares.drop(provider)));
    await new Promise<void>((resolve) => {
      const limit = host.setTimer(LIMITS.spareDropMs, resolve);
      void dropped.then(() => host.clearTimer(limit)).then(resolve);
    });
  }

  close(): void {
    this.#spares.close();
    if (this.#database.isOpen) this.#database.close();
  }

  #provider(engine: EngineKind): EngineProvider {
    if (!ENGINE_KINDS.includes(engine)) throw new MagError('MAG_ENGINE_UNKNOWN', { engine });
    const provider = this.#options.providers.get(engine);
    if (provider !== undefined) return provider;
    throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine, why: 'not in this version yet' });
  }

  #isUsed(engine: EngineKind): boolean {
    return this.#store.all().some((project) => project.engine === engine);
  }

  #require(ref: string): StoredProject {
    const project = this.#store.find(ref);
    if (project === null) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
    return project;
  }

  #keysOf(project: StoredProject): { anon: string; service: string } {
    return projectKeys(this.#options.masterKey, project.ref, project.keyVersion);
  }

  /** As it is shown where its keys were asked for. */
  #withKeys(project: StoredProject): ProjectView {
    const { secret } = tokenKeys(this.#options.masterKey, project.ref, project.keyVersion);
    return { ...this.#view(project), keys: this.#keysOf(project), jwtSecret: secret };
  }

  #urlOf(ref: string): string {
    return `${this.#options.baseUrl()}/p/${ref}`;
  }

  #view({ ref, name, engine, status, settings, createdAt }: StoredProject): ProjectView {
    return { ref, name, engine, url: this.#urlOf(ref), status, settings, createdAt };
  }

  #note(actor: string, action: string, target: string, outcome: string): Promise<void> {
    return this.#options.audit.append({ actor, action, target, reason: null, outcome });
  }

  #changed(ref: string): void {
    for (const listener of this.#listeners) listener(ref);
  }
}

/** Opens the board's database. Throws MAG_CATALOGUE_UNUSABLE. */
export function createCatalogue(options: CatalogueOptions): Catalogue {
  return new CatalogueService(options);
}
