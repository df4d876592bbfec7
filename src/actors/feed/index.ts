import { describeError, MagError } from '../../errors.ts';
import type { Connection } from '../../protocol/project.ts';
import { sleep } from '../../runtime/host.ts';
import type { ChildSpec } from '../../runtime/spec.ts';
import { component } from '../../runtime/specs.ts';
import { createFeedHub } from './feed-hub.ts';
import { isFeedRequest } from './feed-messages.ts';

export interface FeedInput {
  readonly dataDir: string;
}

const CATALOGUE = 'board/catalogue';
/** The catalogue may have to start the engine's server first. */
const RESOLVE_TIMEOUT_MS = 30_000;
/** Until a catalogue that did not answer is asked again. */
const RETRY_MS = 1_000;

/** The feed worker's only actor: owner of every project's change feed. `board/feed` in the tree. */
export default function feed({ dataDir }: FeedInput): ChildSpec {
  return component('feed', ({ system, host, log, signal }) => {
    const catalogue = system.slot(CATALOGUE);
    const hub = createFeedHub({
      host,
      log,
      dataDir,
      resolve: (ref) =>
        catalogue.ask<Connection>({ type: 'FEED_TARGET', ref }, { timeout: RESOLVE_TIMEOUT_MS }),
      send: (path, message) => system.slot(path).send(message),
    });
    // Not waited for: the catalogue may be down, a feed may have to start its engine's server; the others serve meanwhile.
    const restore = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          // Looked at before the question: whoever is not in its answer was dropped while no feed was up to hear it.
          const marked = hub.marked();
          const refs = await catalogue.ask<readonly string[]>({ type: 'FEED_PROJECTS' });
          for (const ref of marked) if (!refs.includes(ref)) await hub.handle({ type: 'FEED_DROP', ref });
          return await hub.restore(refs);
        } catch (error) {
          log.warn({ error: describeError(error) }, 'the catalogue did not say which feeds to take up');
          await sleep(host, RETRY_MS, signal).catch(() => {}); // Stopped: the loop ends by itself.
        }
      }
    };
    void restore();
    return {
      handle: (message) => {
        if (message.type === 'FEED_STATS') return hub.stats();
        if (message.type === 'FOLLOWER_GONE') return hub.dropFollowers(String(message.path));
        if (isFeedRequest(message)) return hub.handle(message);
        throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `board/feed for ${message.type}` });
      },
      stop: () => hub.stop(),
    };
  });
}
