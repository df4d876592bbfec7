import { MagError } from '../../errors.ts';
import type { EngineKind } from '../../protocol/project.ts';

/**
 * No connection to the engine's server could be opened, whoever asked for one: what its circuit breaker counts. What
 * only one project's connections meet (a refused role, a session that its own SQL ended) is a plain
 * MAG_ENGINE_UNAVAILABLE: a tenant could bring it about, and must not take the server away from its neighbours.
 */
export class EngineUnreachable extends MagError {
  constructor(engine: EngineKind, why: string, cause?: unknown) {
    super('MAG_ENGINE_UNAVAILABLE', { engine, why }, cause === undefined ? {} : { cause });
  }
}
