import { describe, expect, it } from 'vitest';
import type { ScopeFrame } from '../../src/protocol/actor-node.ts';
import { flattenTree } from '../../src/protocol/scope-tree.ts';
import {
  applyFrame,
  disconnected,
  emptyModel,
  sameRows,
  totalsOf,
  visibleRows,
} from '../../ui/src/tree-model.ts';
import { sketchTree } from '../support/scripted-system.ts';

const at = '2026-11-23T08:00:00.000Z';
const tree = sketchTree([
  'board',
  'supervisor',
  {},
  [
    ['keys', 'component', { restarts: 2 }],
    [
      'edges',
      'supervisor',
      {},
      [
        ['edge-1', 'worker', {}, [['gate', 'component', { status: 'failed', state: 'failed', restarts: 1 }]]],
        ['edge-2', 'worker'],
      ],
    ],
  ],
]);
const flat = flattenTree(tree);
const snapshot = (seq: number): ScopeFrame => ({ type: 'snapshot', seq, at, tree });
const delta = (seq: number, gone: readonly string[] = []): ScopeFrame => ({
  type: 'delta',
  seq,
  at,
  upsert: [],
  gone,
});
const paths = (filter: string, collapsed: readonly string[] = []): readonly string[] =>
  visibleRows(flat, new Set(collapsed), filter).map(({ path }) => path);

describe('frames', () => {
  it('are refused where one is missing, and the tree stays what it was', () => {
    const { model } = applyFrame(emptyModel, snapshot(4));
    const applied = applyFrame(model, delta(6, ['board/keys']));
    expect([applied.gap, applied.model]).toEqual([true, model]);
    expect(applyFrame(model, delta(5, ['board/keys'])).gone).toEqual(['board/keys']);
  });

  it('are refused before the first snapshot of a connection, while the old tree stays in sight', () => {
    expect(applyFrame(emptyModel, delta(1)).gap).toBe(true);
    const { model } = applyFrame(emptyModel, snapshot(1));
    const between = disconnected(model);
    expect(between.tree).toBe(model.tree);
    expect(applyFrame(between, delta(2)).gap).toBe(true);
  });

  it('of a snapshot name only what really differs from what was shown', () => {
    const { model } = applyFrame(emptyModel, snapshot(1));
    expect(applyFrame(disconnected(model), snapshot(1))).toMatchObject({ changed: [], gone: [], gap: false });
  });

  it('of an event carry it through and leave the tree alone', () => {
    const { model } = applyFrame(emptyModel, snapshot(1));
    const event = { type: 'failed', path: 'board/keys', reason: 'on purpose', delay: null } as const;
    const applied = applyFrame(model, { type: 'event', seq: 2, at, event });
    expect([applied.event, applied.model.tree]).toEqual([event, model.tree]);
  });
});

describe('the lines of the tree', () => {
  it('carry level, position and size as ARIA counts them', () => {
    expect(visibleRows(flat, new Set(), '').slice(2, 5)).toEqual([
      { path: 'board/edges', level: 2, position: 2, size: 2, expanded: true },
      { path: 'board/edges/edge-1', level: 3, position: 1, size: 2, expanded: true },
      { path: 'board/edges/edge-1/gate', level: 4, position: 1, size: 1, expanded: null },
    ]);
  });

  it('leave out what is below a collapsed one', () => {
    expect(paths('', ['board/edges'])).toEqual(['board', 'board/keys', 'board/edges']);
  });

  it('show what a filter matches with everything above it, also below a collapsed one', () => {
    const way = ['board', 'board/edges', 'board/edges/edge-1', 'board/edges/edge-1/gate'];
    expect(paths('GATE', ['board/edges'])).toEqual(way);
    expect(paths('failed')).toEqual(way);
    expect(paths('worker edge-2')).toEqual(['board', 'board/edges', 'board/edges/edge-2']);
    expect(paths('no such thing')).toEqual([]);
  });

  it('are none before the first snapshot', () => {
    expect(visibleRows(emptyModel.tree, new Set(), '')).toEqual([]);
  });

  it('compare equal only where they look the same', () => {
    const open = visibleRows(flat, new Set(), '');
    expect(sameRows(open, visibleRows(flat, new Set(), ''))).toBe(true);
    expect(sameRows(open, visibleRows(flat, new Set(['board']), ''))).toBe(false);
  });
});

it('totals count actors, restarts and what has not settled', () => {
  expect(totalsOf(flat)).toEqual({ actors: 6, restarts: 3, unsettled: 1 });
});
