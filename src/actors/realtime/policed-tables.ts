import { LIMITS } from '../../limits.ts';
import type { SchemaSnapshot } from '../storage/engine.ts';
import type { GatewayContext } from './context.ts';
import type { Project } from './project.ts';

const NONE: ReadonlySet<string> = new Set();

/**
 * The tables of a project under row level security. Policies are SQL, and nobody asks them about a change that is
 * already committed; so that no change tells of a row that they hide, such tables are told to the service role alone.
 */
export class PolicedTables {
  readonly #context: GatewayContext;
  readonly #project: Project;
  #names = NONE;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(context: GatewayContext, project: Project) {
    this.#context = context;
    this.#project = project;
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  learn({ tables }: SchemaSnapshot): void {
    const policed = [...tables.values()].filter(
      (table) => table.schema === 'public' && table.rowSecurity === true,
    );
    this.#names = policed.length === 0 ? NONE : new Set(policed.map((table) => table.name));
  }

  /** Looks again where the last look was a while ago, beside the change that was the occasion. */
  refresh(): void {
    const { host, sessions, log } = this.#context.ports;
    const { handle, ref } = this.#project;
    const now = host.now();
    if (handle.engine !== 'postgres' || now - this.#lookedAt < LIMITS.schemaCheckMs) return;
    this.#lookedAt = now;
    const context = { principal: SERVICE, tenant: ref, deadline: now + LIMITS.statementTimeoutMs };
    Promise.resolve(sessions.open(handle))
      .then((engine) => engine.schema(context))
      .then(
        (schema) => this.learn(schema),
        (error: unknown) =>
          log.debug({ ref, err: error }, 'the policies of a project could not be looked at'),
      );
  }
}

const SERVICE = { role: 'service_role', claims: {} } as const;
