import type { Document } from 'bson';
import { find } from 'mingo';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { badValue, DocumentError } from './document-error.ts';
import { own, splitPath } from './field-path.ts';
import { holding, mayHoldProjecting } from './held-thread.ts';

export interface Projector {
  readonly project: (document: Document) => Document;
  /** The top-level fields that it keeps, where it does nothing but keep some. */
  readonly names: ReadonlySet<string> | null;
}

/** Which fields of a level are named; null where the whole of it is. */
type Tree = Map<string, Tree | null>;

const isSwitch = (value: BsonValue): boolean => typeof value === 'number' || typeof value === 'boolean';

function treeOf(names: readonly string[]): Tree {
  const root: Tree = new Map();
  for (const name of names) {
    let level: Tree = root;
    const path = splitPath(name);
    for (const [depth, step] of path.entries()) {
      const known = level.get(step);
      if (known === null) break;
      if (depth === path.length - 1) level.set(step, null);
      else {
        const below: Tree = known ?? new Map();
        level.set(step, below);
        level = below;
      }
    }
  }
  return root;
}

function within(value: BsonValue, tree: Tree, walk: (document: Document, tree: Tree) => Document): BsonValue {
  if (Array.isArray(value)) return value.map((item) => within(item, tree, walk));
  return isPlainDocument(value) ? walk(value, tree) : value;
}

function including(document: Document, tree: Tree): Document {
  const kept: Document = {};
  for (const [name, value] of Object.entries(document)) {
    const below = tree.get(name);
    if (below === undefined) continue;
    if (below === null) kept[name] = value;
    else if (Array.isArray(value))
      kept[name] = value
        .filter((item) => isPlainDocument(item) || Array.isArray(item))
        .map((item) => within(item, below, including));
    else if (isPlainDocument(value)) kept[name] = including(value, below);
  }
  return kept;
}

function excluding(document: Document, tree: Tree): Document {
  const kept: Document = {};
  for (const [name, value] of Object.entries(document)) {
    const below = tree.get(name);
    if (below === undefined) kept[name] = value;
    else if (below !== null) kept[name] = within(value, below, excluding);
  }
  return kept;
}

/** What a find gives back of each document, or null for all of it. Throws BadValue. */
export function compileProjection(projection: Document): Projector | null {
  const entries = Object.entries(projection);
  if (entries.length === 0) return null;
  const simple = entries.every(([name, value]) => isSwitch(value) && !name.includes('$'));
  if (!simple) {
    const found = (document: Document): Document =>
      find<Document>([document], {}, projection, { scriptEnabled: false }).all()[0] ?? {};
    const holds = mayHoldProjecting(projection);
    const project = (document: Document): Document => {
      try {
        return holds ? holding(DOCUMENT_LIMITS.heldMs, () => found(document)) : found(document);
      } catch (error) {
        if (error instanceof DocumentError) throw error;
        throw badValue(error instanceof Error ? error.message.slice(0, 300) : 'the projection failed');
      }
    };
    return { project, names: null };
  }
  const others = entries.filter(([name]) => name !== '_id');
  const id = own(projection, '_id');
  const includes = others.length > 0 ? Boolean(others[0]?.[1]) : Boolean(id);
  if (others.some(([, value]) => Boolean(value) !== includes))
    throw badValue('Cannot do exclusion in an inclusion projection, or the other way round');
  const names = others.map(([name]) => name);
  if (includes) {
    const wanted = id === undefined || id ? [...names, '_id'] : names;
    const tree = treeOf(wanted);
    const isFlat = wanted.every((name) => !name.includes('.'));
    return { project: (document) => including(document, tree), names: isFlat ? new Set(wanted) : null };
  }
  const tree = treeOf(id === undefined || id ? names : [...names, '_id']);
  return { project: (document) => excluding(document, tree), names: null };
}
