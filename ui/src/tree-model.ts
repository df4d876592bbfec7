import type { LifecycleEvent, ScopeFrame } from '../../src/protocol/actor-node.ts';
import {
  applyDelta,
  childrenOf,
  emptyScopeTree,
  flattenTree,
  parentPath,
  type ScopeNode,
  type ScopeTree,
  sameNode,
} from '../../src/protocol/scope-tree.ts';

/** What the page knows of the board: pure data, changed only by applyFrame. */
export interface TreeModel {
  readonly tree: ScopeTree;
  /** Number of the last frame; null until the first snapshot of a connection. */
  readonly seq: number | null;
  /** The board's clock at the last frame, ISO 8601. */
  readonly at: string | null;
}

export interface Applied {
  readonly model: TreeModel;
  /** Paths whose node is new or differs. */
  readonly changed: readonly string[];
  readonly gone: readonly string[];
  readonly event: LifecycleEvent | null;
  /** A frame is missing: the tree can no longer be trusted, and the connection must start over. */
  readonly gap: boolean;
}

export const emptyModel: TreeModel = { tree: emptyScopeTree, seq: null, at: null };

/** A new connection numbers its frames anew; what is shown stays until its snapshot arrives. */
export const disconnected = (model: TreeModel): TreeModel => ({ ...model, seq: null });

const nothing = { changed: [], gone: [], event: null, gap: false };

export function applyFrame(model: TreeModel, frame: ScopeFrame): Applied {
  const { seq, at } = frame;
  if (frame.type === 'snapshot') {
    const tree = flattenTree(frame.tree);
    const changed = [...tree.nodes.values()].filter((node) => differs(model.tree, node));
    const gone = [...model.tree.nodes.keys()].filter((path) => !tree.nodes.has(path));
    return { ...nothing, model: { tree, seq, at }, changed: changed.map((node) => node.path), gone };
  }
  if (model.seq === null || seq !== model.seq + 1) return { ...nothing, model, gap: true };
  if (frame.type === 'event') {
    return { ...nothing, model: { tree: model.tree, seq, at }, event: frame.event };
  }
  const tree = applyDelta(model.tree, frame);
  const gone = [...model.tree.nodes.keys()].filter((path) => !tree.nodes.has(path));
  return { ...nothing, model: { tree, seq, at }, changed: frame.upsert.map((node) => node.path), gone };
}

const differs = (tree: ScopeTree, node: ScopeNode): boolean => {
  const before = tree.nodes.get(node.path);
  return before === undefined || !sameNode(before, node);
};

/** One line of the tree as it is shown; positions are 1-based, as ARIA counts. */
export interface TreeRow {
  readonly path: string;
  readonly level: number;
  readonly position: number;
  readonly size: number;
  /** Null for a leaf. */
  readonly expanded: boolean | null;
}

const matches = (node: ScopeNode, words: readonly string[]): boolean => {
  const text = `${node.path} ${node.kind} ${node.status} ${node.state}`.toLowerCase();
  return words.every((word) => text.includes(word));
};

/** Paths to show for a filter: what matches all of its words, and everything above it. */
function filtered(tree: ScopeTree, words: readonly string[]): Set<string> {
  const kept = new Set<string>();
  for (const node of tree.nodes.values()) {
    if (!matches(node, words)) continue;
    for (let path: string | null = node.path; path !== null && !kept.has(path); path = parentPath(path)) {
      kept.add(path);
    }
  }
  return kept;
}

/** The lines of the tree in order. A filter opens what is collapsed above a match. */
export function visibleRows(tree: ScopeTree, collapsed: ReadonlySet<string>, filter: string): TreeRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = words.length === 0 ? null : filtered(tree, words);
  const shown = (paths: readonly string[]): readonly string[] =>
    kept === null ? paths : paths.filter((path) => kept.has(path));
  const rows: TreeRow[] = [];
  const add = (path: string, level: number, position: number, size: number): void => {
    const below = shown(childrenOf(tree, path));
    const open = kept !== null || !collapsed.has(path);
    rows.push({ path, level, position, size, expanded: below.length === 0 ? null : open });
    if (open)
      below.forEach((child, index) => {
        add(child, level + 1, index + 1, below.length);
      });
  };
  if (tree.nodes.has(tree.root) && (kept === null || kept.has(tree.root))) add(tree.root, 1, 1, 1);
  return rows;
}

export const sameRows = (a: readonly TreeRow[], b: readonly TreeRow[]): boolean =>
  a.length === b.length &&
  a.every((row, index) => {
    const other = b[index];
    return (
      other !== undefined &&
      row.path === other.path &&
      row.expanded === other.expanded &&
      row.position === other.position &&
      row.size === other.size
    );
  });

export interface Totals {
  readonly actors: number;
  readonly restarts: number;
  /** Actors that are neither running nor stopped nor paused on purpose. */
  readonly unsettled: number;
}

export function totalsOf(tree: ScopeTree): Totals {
  let restarts = 0;
  let unsettled = 0;
  for (const node of tree.nodes.values()) {
    restarts += node.restarts;
    if (node.status === 'failed' || node.status === 'restarting' || node.status === 'starting')
      unsettled += 1;
  }
  return { actors: tree.nodes.size, restarts, unsettled };
}
