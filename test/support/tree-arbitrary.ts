import fc from 'fast-check';
import type { ActorNode } from '../../src/protocol/actor-node.ts';

const names = ['a', 'b', 'c', 'd', 'e'] as const;

interface Shape {
  readonly name: string;
  readonly state: string;
  readonly restarts: number;
  readonly depth: number;
  readonly children: readonly Shape[];
}

const { shape } = fc.letrec<{ shape: Shape; children: readonly Shape[] }>((tie) => ({
  children: fc.uniqueArray(tie('shape'), { maxLength: 4, selector: (child) => child.name }),
  shape: fc.record({
    name: fc.constantFrom(...names),
    state: fc.constantFrom('healthy', 'failed', 'backing_off'),
    restarts: fc.nat(2),
    depth: fc.nat(2),
    children: fc.oneof({ depthSize: 'small', maxDepth: 4 }, fc.constant([]), tie('children')),
  }),
}));

const build = (from: Shape, parent: string): ActorNode => {
  const path = parent === '' ? 'board' : `${parent}/${from.name}`;
  return {
    path,
    name: from.name,
    kind: 'actor',
    state: from.state,
    status: from.state === 'failed' ? 'failed' : 'running',
    restarts: from.restarts,
    mailbox: { depth: from.depth, capacity: 16, dropped: 0 },
    placement: { thread: 'main', process: 1, node: 'local' },
    since: '2026-11-23T08:00:00.000Z',
    lastError: null,
    handled: 0,
    incarnation: 1,
    children: from.children.map((child) => build(child, path)),
  };
};

/** Any actor tree under `board`; names repeat between draws, so that two of them have much in common. */
export const actorTree: fc.Arbitrary<ActorNode> = shape.map((from) => build(from, ''));
