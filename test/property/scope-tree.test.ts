import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorNode, ScopeFrame } from '../../src/protocol/actor-node.ts';
import { applyDelta, diffTrees, flattenTree, nestTree } from '../../src/protocol/scope-tree.ts';
import { applyFrame, emptyModel } from '../../ui/src/tree-model.ts';
import { actorTree } from '../support/tree-arbitrary.ts';

const at = '2026-11-23T08:00:00.000Z';

/** What a hub sends to make a receiver of `from` see `to`. */
function frameBetween(from: ActorNode | null, to: ActorNode, seq: number): ScopeFrame {
  const change = from === null ? null : diffTrees(flattenTree(from), flattenTree(to));
  return change === null ? { type: 'snapshot', seq, at, tree: to } : { type: 'delta', seq, at, ...change };
}

describe('a snapshot and the deltas after it', () => {
  it('give the tree itself, after every frame', () => {
    fc.assert(
      fc.property(fc.array(actorTree, { minLength: 1, maxLength: 12 }), (trees) => {
        let model = emptyModel;
        let before: ActorNode | null = null;
        trees.forEach((tree, index) => {
          const applied = applyFrame(model, frameBetween(before, tree, index + 1));
          expect(applied.gap).toBe(false);
          model = applied.model;
          before = tree;
          expect(nestTree(model.tree)).toEqual(tree);
        });
      }),
    );
  });

  it('name every path that changed or went, and no other', () => {
    fc.assert(
      fc.property(actorTree, actorTree, (from, to) => {
        const first = applyFrame(emptyModel, frameBetween(null, from, 1)).model;
        const { changed, gone } = applyFrame(first, frameBetween(from, to, 2));
        const old = flattenTree(from).nodes;
        const next = flattenTree(to).nodes;
        const differing = [...next].filter(
          ([path, node]) => JSON.stringify(old.get(path)) !== JSON.stringify(node),
        );
        expect([...changed].sort()).toEqual(differing.map(([path]) => path).sort());
        expect([...gone].sort()).toEqual([...old.keys()].filter((path) => !next.has(path)).sort());
      }),
    );
  });

  it('say nothing about a tree that did not change', () => {
    fc.assert(
      fc.property(actorTree, (tree) => {
        expect(diffTrees(flattenTree(tree), flattenTree(structuredClone(tree)))).toEqual({
          upsert: [],
          gone: [],
        });
      }),
    );
  });

  it('carry a change of the children by a delta whenever the kept ones keep their order', () => {
    fc.assert(
      fc.property(actorTree, fc.nat(), (tree, seed) => {
        const children = tree.children.filter((_, index) => ((seed >> index) & 1) === 0);
        const fewer = { ...tree, children };
        const change = diffTrees(flattenTree(tree), flattenTree(fewer));
        expect(change).not.toBeNull();
        if (change !== null) expect(nestTree(applyDelta(flattenTree(tree), change))).toEqual(fewer);
      }),
    );
  });
});
