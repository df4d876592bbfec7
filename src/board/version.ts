import { readFileSync } from 'node:fs';

/** This package's version, from its manifest: beside `src` in a checkout, above `dist` where it is built. */
export const version = (): string => {
  const manifest = import.meta.url.endsWith('.ts') ? '../../package.json' : '../../../package.json';
  return String(JSON.parse(readFileSync(new URL(manifest, import.meta.url), 'utf8')).version);
};
