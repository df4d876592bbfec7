import { MagError } from '../../../errors.ts';
import type { ColumnRef, JsonPath } from '../../../protocol/query.ts';

/** The column that is shown for MongoDB's `_id`. */
export const KEY = 'id';

/** An engine that cannot do something says what, and does nothing. */
export const unsupported = (what: string): MagError =>
  new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'mongodb', what });

/** A name that a path can hold: dots would begin another step, and dollars an operator. */
function requirePlain(name: string): void {
  if (name === '' || name.startsWith('$') || name.includes('.') || name.includes('\0'))
    throw unsupported(`address a field named "${name.slice(0, 60)}"`);
}

/** The document's own name of a top-level column. */
export function fieldOf(column: string): string {
  if (column === KEY) return '_id';
  requirePlain(column);
  return column;
}

function stepOf(step: string | number): string {
  if (typeof step === 'number') {
    if (step < 0) throw unsupported('count places of an array from its end');
    return String(step);
  }
  requirePlain(step);
  return step;
}

/** The dotted path of a column, and what must hold of the fields on the way: MongoDB would look into arrays by itself. */
export interface FieldPath {
  readonly path: string;
  readonly guards: readonly { readonly path: string; readonly array: boolean }[];
}

export function pathOf({ name, path }: ColumnRef): FieldPath {
  const field = fieldOf(name);
  if (path === undefined) return { path: field, guards: [] };
  const guards: { path: string; array: boolean }[] = [];
  let at = field;
  for (const step of path.steps) {
    guards.push({ path: at, array: typeof step === 'number' });
    at += `.${stepOf(step)}`;
  }
  return { path: at, guards };
}

/** What PostgREST calls a column that is read through a path: its last key. */
export function nameOf(name: string, path: JsonPath | undefined): string {
  const key = path?.steps.findLast((step) => typeof step === 'string');
  return typeof key === 'string' ? key : name;
}
