import { describe, expect, it } from 'vitest';
import { flattenTree } from '../../src/protocol/scope-tree.ts';
import { moveFor, type TreeMove } from '../../ui/src/tree-keys.ts';
import { visibleRows } from '../../ui/src/tree-model.ts';
import { sketchTree } from '../support/scripted-system.ts';

const flat = flattenTree(
  sketchTree([
    'board',
    'supervisor',
    {},
    [
      ['admin', 'component'],
      ['edges', 'supervisor', {}, [['edge-1', 'worker']]],
      ['audit', 'component'],
    ],
  ]),
);
const open = visibleRows(flat, new Set(), '');
const folded = visibleRows(flat, new Set(['board/edges']), '');
const focus = (path: string): TreeMove => ({ kind: 'focus', path });
const none: TreeMove = { kind: 'none' };

describe('keys in the tree, by the WAI-ARIA pattern', () => {
  it.each([
    ['ArrowDown', 'board', focus('board/admin')],
    ['ArrowDown', 'board/audit', none],
    ['ArrowUp', 'board/edges', focus('board/admin')],
    ['ArrowUp', 'board', none],
    ['Home', 'board/audit', focus('board')],
    ['End', 'board', focus('board/audit')],
    ['PageDown', 'board', focus('board/audit')],
    ['PageUp', 'board/audit', focus('board')],
    ['ArrowRight', 'board/edges', focus('board/edges/edge-1')],
    ['ArrowRight', 'board/admin', none],
    ['ArrowLeft', 'board/edges', { kind: 'collapse', path: 'board/edges' }],
    ['ArrowLeft', 'board/edges/edge-1', focus('board/edges')],
    ['Enter', 'board/admin', { kind: 'select', path: 'board/admin' }],
    [' ', 'board/admin', { kind: 'select', path: 'board/admin' }],
    ['a', 'board', focus('board/admin')],
    ['a', 'board/admin', focus('board/audit')],
    ['Tab', 'board', none],
  ] satisfies readonly (readonly [string, string, TreeMove])[])('%s on %s', (key, path, expected) => {
    expect(moveFor(open, path, key)).toEqual(expected);
  });

  it('open a folded one first, and only then go into it', () => {
    expect(moveFor(folded, 'board/edges', 'ArrowRight')).toEqual({ kind: 'expand', path: 'board/edges' });
    expect(moveFor(folded, 'board/edges', 'ArrowLeft')).toEqual(focus('board'));
  });

  it('begin at the top where nothing has the focus yet', () => {
    expect(moveFor(open, 'gone/away', 'ArrowDown')).toEqual(focus('board'));
  });
});
