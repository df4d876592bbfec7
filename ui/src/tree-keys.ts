import { parentPath } from '../../src/protocol/scope-tree.ts';
import type { TreeRow } from './tree-model.ts';

export type TreeMove =
  | { readonly kind: 'focus' | 'expand' | 'collapse' | 'select'; readonly path: string }
  | { readonly kind: 'none' };

const NONE: TreeMove = { kind: 'none' };

const focus = (row: TreeRow | undefined): TreeMove =>
  row === undefined ? NONE : { kind: 'focus', path: row.path };

/** What a key does in a tree, by the WAI-ARIA tree view pattern. `none` leaves the key to the browser. */
export function moveFor(rows: readonly TreeRow[], current: string, key: string): TreeMove {
  const index = rows.findIndex((row) => row.path === current);
  const row = rows[index];
  if (row === undefined) return focus(rows[0]);
  switch (key) {
    case 'ArrowDown':
      return focus(rows[index + 1]);
    case 'ArrowUp':
      return focus(rows[index - 1]);
    case 'Home':
      return focus(rows[0]);
    case 'End':
      return focus(rows[rows.length - 1]);
    case 'PageDown':
      return focus(rows[Math.min(rows.length - 1, index + 12)]);
    case 'PageUp':
      return focus(rows[Math.max(0, index - 12)]);
    case 'ArrowRight':
      if (row.expanded === null) return NONE;
      return row.expanded ? focus(rows[index + 1]) : { kind: 'expand', path: row.path };
    case 'ArrowLeft': {
      if (row.expanded === true) return { kind: 'collapse', path: row.path };
      const parent = parentPath(row.path);
      return focus(rows.find((other) => other.path === parent));
    }
    case 'Enter':
    case ' ':
      return { kind: 'select', path: row.path };
    default:
      return key.length === 1 && /\S/.test(key) ? typeAhead(rows, index, key) : NONE;
  }
}

/** The next row whose name begins with the typed letter. */
function typeAhead(rows: readonly TreeRow[], index: number, letter: string): TreeMove {
  const around = [...rows.slice(index + 1), ...rows.slice(0, index)];
  const wanted = letter.toLowerCase();
  return focus(
    around.find((row) =>
      row.path
        .slice(row.path.lastIndexOf('/') + 1)
        .toLowerCase()
        .startsWith(wanted),
    ),
  );
}
