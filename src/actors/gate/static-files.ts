import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, posix, relative, sep } from 'node:path';
import { LIMITS } from '../../limits.ts';

export interface StaticFile {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
  readonly cache: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

/** Vite names a file after its content: `assets/index-B4xK9aZ1.js` never changes. */
const HASHED = /^\/assets\/.*-[\w-]{8,}\.\w+$/;

const PLAIN_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MagMoBo</title></head>
<body><h1>MagMoBo is running</h1><p>The console has not been built. Run <code>npm ci</code> or
<code>npm start</code> in a checkout, or use the <code>mag</code> command and the admin API under /admin/v1.</p>
</body></html>
`;

export const UI_HEADERS: readonly string[] = [
  'content-security-policy',
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; " +
    "form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options',
  'nosniff',
  'referrer-policy',
  'no-referrer',
];

function describe(path: string, body: Buffer): StaticFile {
  return {
    body,
    type: TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
    etag: `"${hash('sha256', body, 'hex').slice(0, 24)}"`,
    cache: HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
}

/**
 * The console's files, held in memory: what is served is looked up among the paths that were read at start, so no
 * request reaches the file system and none can climb out of the folder.
 */
export class StaticFiles {
  readonly #files: ReadonlyMap<string, StaticFile>;

  private constructor(files: ReadonlyMap<string, StaticFile>) {
    this.#files = files;
  }

  /** Reads the folder; a missing one gives a plain page at `/`. Throws where it is larger than the limits. */
  static async read(directory: string | null): Promise<StaticFiles> {
    const files = new Map<string, StaticFile>();
    let bytes = 0;
    for (const path of directory === null ? [] : await list(directory)) {
      const body = await readFile(path);
      bytes += body.length;
      if (files.size >= LIMITS.uiFiles || bytes > LIMITS.uiBytes) {
        throw new RangeError(`the console's folder ${directory} is larger than its limits`);
      }
      const name = `/${relative(directory ?? '', path)
        .split(sep)
        .join(posix.sep)}`;
      files.set(name, describe(name, body));
    }
    const index = files.get('/index.html') ?? describe('/index.html', Buffer.from(PLAIN_PAGE));
    files.set('/', index);
    files.set('/index.html', index);
    return new StaticFiles(files);
  }

  find(path: string): StaticFile | null {
    return this.#files.get(path) ?? null;
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return [];
    throw error;
  }
}
