import type { ActorNode } from './actor-node.ts';

/** A node as a delta carries it. */
export type ScopeNode = Omit<ActorNode, 'children'>;

/** The tree by path; every node knows its children's paths in order. Both ends of the scope keep it like this. */
export interface ScopeTree {
  /** Empty until the first snapshot. */
  readonly root: string;
  readonly nodes: ReadonlyMap<string, ScopeNode>;
  readonly children: ReadonlyMap<string, readonly string[]>;
}

export interface ScopeChange {
  readonly upsert: readonly ScopeNode[];
  /** Tops of the subtrees that are gone. */
  readonly gone: readonly string[];
}

const NONE: readonly string[] = [];

export const emptyScopeTree: ScopeTree = { root: '', nodes: new Map(), children: new Map() };

/** `board/edges/edge-1` → `board/edges`; a path without a slash has no parent. */
export const parentPath = (path: string): string | null => {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? null : path.slice(0, slash);
};

export const childrenOf = (tree: ScopeTree, path: string): readonly string[] =>
  tree.children.get(path) ?? NONE;

/** A snapshot's tree by path. */
export function flattenTree(tree: ActorNode): ScopeTree {
  const nodes = new Map<string, ScopeNode>();
  const children = new Map<string, readonly string[]>();
  const waiting: ActorNode[] = [tree];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { children: below, ...node } = next;
    nodes.set(node.path, node);
    if (below.length > 0) {
      children.set(
        node.path,
        below.map((child) => child.path),
      );
      waiting.push(...below);
    }
  }
  return { root: tree.path, nodes, children };
}

/** The nested form again, as a snapshot and GET /admin/v1/actors carry it. */
export function nestTree(tree: ScopeTree): ActorNode | null {
  const build = (path: string): ActorNode[] => {
    const node = tree.nodes.get(path);
    return node === undefined ? [] : [{ ...node, children: childrenOf(tree, path).flatMap(build) }];
  };
  return build(tree.root)[0] ?? null;
}

/** Whether nothing a delta carries differs. */
export const sameNode = (a: ScopeNode, b: ScopeNode): boolean =>
  a.name === b.name &&
  a.kind === b.kind &&
  a.state === b.state &&
  a.status === b.status &&
  a.restarts === b.restarts &&
  a.since === b.since &&
  a.lastError === b.lastError &&
  a.handled === b.handled &&
  a.incarnation === b.incarnation &&
  a.mailbox.depth === b.mailbox.depth &&
  a.mailbox.capacity === b.mailbox.capacity &&
  a.mailbox.dropped === b.mailbox.dropped &&
  a.placement.thread === b.placement.thread &&
  a.placement.process === b.placement.process &&
  a.placement.node === b.placement.node;

/** Whether the children of `to` are those of `from` that are still there, in their order, then the new ones. */
function appendsOnly(from: readonly string[], to: readonly string[]): boolean {
  const wanted = new Set(to);
  const kept = from.filter((path) => wanted.has(path));
  return kept.every((path, index) => path === to[index]);
}

/**
 * What turns `from` into `to`, parents before their children.
 * Null where a delta cannot say it (another root, reordered children, a path that is not under its parent's):
 * then a snapshot has to be sent.
 */
export function diffTrees(from: ScopeTree, to: ScopeTree): ScopeChange | null {
  if (from.root !== to.root) return null;
  const upsert: ScopeNode[] = [];
  const gone: string[] = [];
  const waiting = [to.root];
  let seen = 0;
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const node = to.nodes.get(path);
    if (node === undefined) return null;
    seen += 1;
    const before = from.nodes.get(path);
    if (before === undefined || !sameNode(before, node)) upsert.push(node);
    const below = childrenOf(to, path);
    if (below.some((child) => parentPath(child) !== path)) return null;
    const earlier = childrenOf(from, path);
    if (!appendsOnly(earlier, below)) return null;
    for (const child of earlier) if (!to.nodes.has(child)) gone.push(child);
    // Last first: the stack then gives them back in order, which is the order a receiver appends them in.
    for (let index = below.length - 1; index >= 0; index -= 1) {
      const child = below[index];
      if (child !== undefined) waiting.push(child);
    }
  }
  return seen === to.nodes.size ? { upsert, gone } : null;
}

function removeSubtree(
  nodes: Map<string, ScopeNode>,
  children: Map<string, readonly string[]>,
  top: string,
): void {
  const waiting = [top];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    waiting.push(...(children.get(path) ?? NONE));
    nodes.delete(path);
    children.delete(path);
  }
  const parent = parentPath(top);
  if (parent === null) return;
  const left = (children.get(parent) ?? NONE).filter((path) => path !== top);
  if (left.length === 0) children.delete(parent);
  else children.set(parent, left);
}

/** The tree after a delta. New nodes go behind their siblings; one whose parent is unknown is left out. */
export function applyDelta(tree: ScopeTree, delta: ScopeChange): ScopeTree {
  const nodes = new Map(tree.nodes);
  const children = new Map(tree.children);
  for (const path of delta.gone) removeSubtree(nodes, children, path);
  for (const node of delta.upsert) {
    if (!nodes.has(node.path) && node.path !== tree.root) {
      const parent = parentPath(node.path);
      if (parent === null || !nodes.has(parent)) continue;
      children.set(parent, [...(children.get(parent) ?? NONE), node.path]);
    }
    nodes.set(node.path, node);
  }
  return { root: tree.root, nodes, children };
}
