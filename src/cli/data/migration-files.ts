import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';

/** A numbered file of SQL. */
export interface MigrationFile {
  /** The digits of its name: what it is known by. */
  readonly version: string;
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of its text with line ends as \n, hex. */
  readonly checksum: string;
  /** It begins with `-- no transaction`: for what a database runs only by itself, as CREATE INDEX CONCURRENTLY. */
  readonly alone: boolean;
}

const FILE = /^(\d{1,18})_([A-Za-z0-9][A-Za-z0-9_-]*)\.sql$/;
const ALONE = /^\s*--\s*no transaction\s*$/im;

const byNumber = (one: MigrationFile, other: MigrationFile): number =>
  Number(BigInt(one.version) - BigInt(other.version));

/** The folder's migrations in their order. Throws MAG_USAGE for a file that is no migration, or a number twice. */
export function readMigrations(folder: string): readonly MigrationFile[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  } catch (cause) {
    const problem = `the folder ${folder} cannot be read (${describeError(cause)})`;
    throw new MagError('MAG_USAGE', { problem }, { cause, hint: 'Make one with mag migrate new NAME.' });
  }
  const files = names.map((name) => {
    const [, version, title] = FILE.exec(name) ?? [];
    if (version === undefined || title === undefined)
      throw new MagError('MAG_USAGE', { problem: `${name} is not named NUMBER_name.sql` });
    const sql = readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n');
    const checksum = createHash('sha256').update(sql).digest('hex');
    return { version, name: title, sql, checksum, alone: ALONE.test(sql.slice(0, 200)) };
  });
  files.sort(byNumber);
  for (const [index, file] of files.entries()) {
    const before = files[index - 1];
    if (before !== undefined && BigInt(before.version) === BigInt(file.version))
      throw new MagError('MAG_USAGE', { problem: `the number ${file.version} stands twice in ${folder}` });
  }
  return files;
}

/** Makes an empty migration behind the last one. Returns its path. */
export function newMigration(folder: string, name: string): string {
  const title = name
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
  if (title === '') throw new MagError('MAG_USAGE', { problem: `${name} holds no letter or digit` });
  mkdirSync(folder, { recursive: true });
  const last = readMigrations(folder).at(-1)?.version ?? '0';
  const next = String(BigInt(last) + 1n).padStart(Math.max(4, last.length), '0');
  const path = join(folder, `${next}_${title}.sql`);
  // One that is there already was made just now by somebody else.
  writeFileSync(path, `-- ${name.replaceAll(/\s+/g, ' ')}\n`, { flag: 'wx' });
  return path;
}
