import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ScopeReply } from '../../src/actors/console/messages.ts';
import { createScopeClient } from '../../src/actors/console/scope-client.ts';
import { createScopeHub, type ScopeHub } from '../../src/actors/console/scope-hub.ts';
import { LIMITS } from '../../src/limits.ts';
import type { ActorNode } from '../../src/protocol/actor-node.ts';
import { nestTree } from '../../src/protocol/scope-tree.ts';
import type { Message } from '../../src/runtime/spec.ts';
import { applyFrame, emptyModel, type TreeModel } from '../../ui/src/tree-model.ts';
import { countingHost } from '../support/counting-host.ts';
import { ScriptedSystem } from '../support/scripted-system.ts';
import { actorTree } from '../support/tree-arbitrary.ts';

const PATH = 'board/edges/edge-1/uplink';

type Step =
  | { readonly kind: 'tree'; readonly tree: ActorNode }
  | { readonly kind: 'event' | 'join' | 'leave' | 'restart hub' }
  /** For so many milliseconds; nothing in between, the way is free otherwise. */
  | { readonly kind: 'wait' | 'hub down' | 'way blocked' | 'way slow'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: actorTree.map((tree) => ({ kind: 'tree' as const, tree })) },
  {
    weight: 4,
    arbitrary: fc.constantFrom('event', 'join', 'leave', 'restart hub').map((kind) => ({ kind })),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('wait', 'hub down', 'way blocked', 'way slow'),
      ms: fc.integer({ min: 1, max: 6_000 }),
    }),
  },
);

/** A page as it follows the scope: it must never see a gap. */
class Page {
  model: TreeModel = emptyModel;
  readonly leave: () => void;
  gaps = 0;

  constructor(scope: ReturnType<typeof createScopeClient>) {
    this.leave = scope((frame) => {
      const applied = applyFrame(this.model, frame);
      if (applied.gap) this.gaps += 1;
      this.model = applied.model;
    });
  }
}

class World {
  readonly host = countingHost();
  readonly system: ScriptedSystem;
  readonly pages: Page[] = [];
  readonly #scope: ReturnType<typeof createScopeClient>;
  #toEdge: (message: Message) => void = () => {};
  #hub: ScopeHub;
  #way: 'free' | 'blocked' | 'slow' = 'free';
  #down = false;

  constructor(tree: ActorNode) {
    this.system = new ScriptedSystem(this.host, tree);
    this.#hub = this.#makeHub();
    this.#scope = createScopeClient({
      host: this.host,
      log: this.system.log,
      path: PATH,
      ask: async (message): Promise<ScopeReply> => {
        if (this.#down) throw new Error('the hub is down');
        return this.#hub.handle(message) ?? { known: false };
      },
      send: (message) => void (this.#down || this.#hub.handle(message)),
      onMessage: (listener) => {
        this.#toEdge = listener;
      },
    });
  }

  #makeHub(): ScopeHub {
    return createScopeHub({
      system: this.system,
      send: (_path, message) => {
        if (this.#way === 'blocked') return 'rejected';
        const carried = structuredClone(message);
        // In order either way: a slow way holds everything up alike.
        if (this.#way === 'slow') this.host.setTimer(0, () => this.#toEdge(carried));
        else this.#toEdge(carried);
        return 'sent';
      },
    });
  }

  async take(next: Step): Promise<void> {
    if (next.kind === 'tree') this.system.replace(next.tree);
    else if (next.kind === 'event') this.system.emit('ready', 'board');
    else if (next.kind === 'join') this.pages.push(new Page(this.#scope));
    else if (next.kind === 'leave') this.pages.shift()?.leave();
    else if (!('ms' in next)) {
      this.#hub.close();
      this.#hub = this.#makeHub();
    } else {
      this.#down = next.kind === 'hub down';
      this.#way = next.kind === 'way blocked' ? 'blocked' : next.kind === 'way slow' ? 'slow' : 'free';
      await this.host.advance(next.ms);
      // What is on a slow way arrives before anything that is sent on a free one.
      await this.host.advance(0);
      this.#down = false;
      this.#way = 'free';
    }
  }

  get subscribers(): number {
    return this.#hub.stats().subscribers;
  }
}

describe('whatever happens between the hub and an edge', () => {
  it('every page sees no gap, and ends with the very tree there is', async () => {
    await fc.assert(
      fc.asyncProperty(actorTree, fc.array(step, { maxLength: 25 }), async (tree, steps) => {
        const world = new World(tree);
        await world.take({ kind: 'join' });
        await world.take({ kind: 'wait', ms: 500 });
        for (const next of steps) await world.take(next);
        await world.host.advance(3 * LIMITS.scopeRenewMs);
        const expected = await world.system.tree();
        for (const page of world.pages) {
          expect(page.gaps).toBe(0);
          expect(nestTree(page.model.tree)).toEqual(expected);
        }
        for (const page of world.pages) page.leave();
        await world.host.advance(2 * LIMITS.scopeLeaseMs);
        expect([world.subscribers, world.host.pending(), world.system.listeners]).toEqual([0, 0, 0]);
      }),
      { numRuns: 150 },
    );
  });
});
