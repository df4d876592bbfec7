import { describeError } from '../../errors.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { Log } from '../../runtime/log.ts';
import type { EngineProvider } from '../storage/engine.ts';
import type { ProjectStore, StoredProject } from './project-store.ts';

/** What recovery did: a line for each project it touched, and the leftovers it removed, by engine. */
export interface Recovery {
  readonly lines: readonly { readonly target: string; readonly outcome: string }[];
  readonly reclaimed: Readonly<Partial<Record<EngineKind, readonly string[]>>>;
}

interface RecoveryOptions {
  readonly store: ProjectStore;
  readonly providers: ReadonlyMap<EngineKind, EngineProvider>;
  readonly log: Log;
}

/**
 * Settles every project that is neither ready nor gone: a creation that a kill interrupted is finished (its name was
 * given away durably), one that failed is undone, a deletion is finished. Each step may be repeated, so a kill during
 * recovery is recovered by the next. An engine that is down leaves its projects as they are, for the next time.
 */
export async function recoverProjects(options: RecoveryOptions): Promise<Recovery> {
  const lines: { target: string; outcome: string }[] = [];
  for (const project of options.store.all()) {
    if (project.status === 'ready') continue;
    try {
      lines.push({ target: project.ref, outcome: await settle(project, options) });
    } catch (error) {
      const why = describeError(error);
      options.log.warn({ ref: project.ref, status: project.status, error: why }, 'project not recovered yet');
      lines.push({ target: project.ref, outcome: `not yet: ${why}` });
    }
  }
  return { lines, reclaimed: await reclaim(options) };
}

async function settle(project: StoredProject, { store, providers }: RecoveryOptions): Promise<string> {
  const provider = providers.get(project.engine);
  if (provider === undefined) return `not yet: no provider of ${project.engine}`;
  if (project.status === 'provisioning') {
    await provider.provision(project.ref);
    store.setStatus(project.ref, 'ready');
    return 'creation finished';
  }
  await provider.drop(project.ref);
  store.remove(project.ref);
  return project.status === 'dropping' ? 'deletion finished' : 'failed creation undone';
}

/** Removes databases, roles and slots that belong to no project. A failure costs space, not correctness. */
async function reclaim({ store, providers, log }: RecoveryOptions): Promise<Recovery['reclaimed']> {
  const live = new Set(store.all().map((project) => project.ref));
  const reclaimed: Partial<Record<EngineKind, readonly string[]>> = {};
  for (const [engine, provider] of providers) {
    try {
      const names = await provider.reclaim(live);
      if (names.length > 0) {
        reclaimed[engine] = names;
        log.info({ engine, names }, 'leftovers of deleted projects removed');
      }
    } catch (error) {
      log.warn({ engine, error: describeError(error) }, 'leftovers of deleted projects not removed');
    }
  }
  return reclaimed;
}
