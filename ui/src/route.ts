import { effect, signal } from '@preact/signals';
import { selected } from './store.ts';

export type View = 'actors' | 'projects';

export const view = signal<View>('actors');

/** An address is whatever somebody typed. */
const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};

/** `#/actors/board/edges/edge-1` and `#/projects`: a place that can be linked to. */
function read(): void {
  const [, name, ...rest] = location.hash.split('/');
  view.value = name === 'projects' ? 'projects' : 'actors';
  if (view.value === 'actors' && rest.length > 0) selected.value = rest.map(decoded).join('/');
}

/** Keeps the address and what is shown the same, both ways. */
export function startRoutes(): void {
  read();
  window.addEventListener('hashchange', read);
  effect(() => {
    if (view.value !== 'actors' || selected.value === null) return;
    const hash = `#/actors/${selected.value.split('/').map(encodeURIComponent).join('/')}`;
    if (location.hash !== hash) history.replaceState(null, '', hash);
  });
}
