import { fileURLToPath } from 'node:url';

/** Two folders up from here is the package: the checkout, or dist/ of the compiled one. */
const ROOT = new URL('../../', import.meta.url);
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** File path of another module of this package, with the extension that this one runs under. */
export function sibling(name: string): string {
  return fileURLToPath(new URL(`${name}${EXTENSION}`, ROOT));
}
