import { type Catalogue, createCatalogue } from '../actors/catalogue/catalogue.ts';
import { parseRule } from '../actors/psu/grant-rules.ts';
import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Connection, EngineKind } from '../protocol/project.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../runtime/spec.ts';
import { component } from '../runtime/specs.ts';
import type { EdgeNews } from './edge-news.ts';
import { postgresAdmin, providers } from './engines.ts';
import { BACKOFF } from './restarts.ts';
import { auditPort } from './services.ts';
import type { Shelf } from './shelf.ts';

/** Where the feed worker finds a project's database; for PostgreSQL with the administrator's rights. */
async function feedTarget(shelf: Shelf, catalogue: Catalogue, ref: string): Promise<Connection> {
  const handle = await catalogue.resolve(ref);
  if (handle === null) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
  return handle.engine === 'postgres' ? postgresAdmin(shelf.system, ref) : handle.connection;
}

const configuredEngines = ({ config }: Shelf): ReadonlySet<EngineKind> =>
  new Set((['mysql'] as const).filter((kind) => config[`${kind}Url`] !== null));

/** Tells every edge worker, and the feed where a project is on its way out. */
function spread({ system, log }: ComponentContext, catalogue: Catalogue, news: EdgeNews): () => void {
  return catalogue.onChange((ref) => {
    news.tellProjectChanged(ref);
    const gone = catalogue.list().every((project) => project.ref !== ref || project.status === 'dropping');
    if (!gone) return;
    system
      .slot('board/feed')
      .ask({ type: 'FEED_DROP', ref })
      .catch((error: unknown) =>
        log.warn({ ref, error: describeError(error) }, 'the feed of a dropped project was not closed'),
      );
  });
}

async function startCatalogue(context: ComponentContext, shelf: Shelf): Promise<ComponentService> {
  const { system, host, log } = context;
  let catalogue: Catalogue | null = null;
  // A server is not started only to look for leftovers in it.
  const inUse = (kind: EngineKind): boolean =>
    kind === 'sqlite' || catalogue?.list().some((project) => project.engine === kind) === true;
  catalogue = createCatalogue({
    file: shelf.take('folder').boardFile,
    host,
    log,
    audit: auditPort(system),
    masterKey: shelf.take('masterKey'),
    providers: providers(system, inUse),
    baseUrl: () => shelf.take('url'),
    validateUsing: (text) => {
      parseRule(text);
    },
    configured: configuredEngines(shelf),
  });
  const opened = catalogue;
  // First of all: where it comes after a crashed one, others know the projects that it recovers.
  const stopSpreading = spread(context, opened, shelf.take('news'));
  try {
    await opened.recover();
    await opened.ensureDemo();
  } catch (error) {
    stopSpreading();
    opened.close();
    throw error;
  }
  return {
    api: opened,
    handle: (message) => {
      if (message.type === 'FEED_TARGET') return feedTarget(shelf, opened, String(message.ref));
      if (message.type === 'FEED_PROJECTS')
        return opened
          .list()
          .filter((project) => project.status === 'ready')
          .map((project) => project.ref);
      throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `board/catalogue for ${message.type}` });
    },
    stop: async () => {
      stopSpreading();
      await opened.retire();
      opened.close();
    },
  };
}

/** The projects of this board. Its start may have to start an engine's server, to finish what a kill interrupted. */
export const catalogue = (shelf: Shelf): ChildSpec =>
  component('catalogue', (context) => startCatalogue(context, shelf), {
    backoff: BACKOFF,
    startTimeout: LIMITS.bootStageMs,
  });
