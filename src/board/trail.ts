import { describeError } from '../errors.ts';
import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { Log } from '../runtime/log.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { auditPort } from './services.ts';

/** What an auditor asks about later: what broke by itself, and who gave up on it. */
const RECORDED: ReadonlySet<LifecycleEvent['type']> = new Set(['failed', 'escalated']);

/**
 * Writes every failure to the log and the audit trail, with its chain of causes. While the trail itself is being
 * restarted, the entry waits for it: its own failure is in it too.
 */
export function recordFailures(system: ActorSystem, log: Log): () => void {
  const audit = auditPort(system);
  return system.onLifecycle(({ type, path, reason, delay }) => {
    if (!RECORDED.has(type)) {
      log.debug({ path, reason, delay }, `actor ${type}`);
      return;
    }
    log.warn({ path, reason }, `actor ${type}`);
    const entry = { actor: 'board', action: `actor.${type}`, target: path, reason, outcome: type };
    audit
      .append(entry)
      .catch((error: unknown) =>
        log.warn({ path, error: describeError(error) }, 'a failure is not in the audit trail'),
      );
  });
}
