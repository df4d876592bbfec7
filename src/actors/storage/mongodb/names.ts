import { MagError } from '../../../errors.ts';

/** The board's own collection: in a project's database, or in one beside it. */
export const RECORDS = '_mag_idempotency';

/**
 * The database of a project's records on a server that is not the board's own: there a role says which databases a
 * credential reaches, and cannot leave out one collection. A transaction spans both. No reference holds a `~`.
 */
export const recordsDatabase = (project: string): string => `${project}~m`;

/** The project that a database was made for. */
export const projectOfDatabase = (name: string): string => name.replace(/~m$/, '');

/** What the grammar and native commands do not reach: the board's own collections, and the server's. */
export const isReserved = (collection: string): boolean =>
  collection.startsWith('_mag_') || collection.startsWith('system.');

/** Throws PGRST205 for a name that no collection of a tenant's can have. */
export function requireCollection(name: string): void {
  const usable = name !== '' && !name.includes('$') && !name.includes('\0') && Buffer.byteLength(name) <= 200;
  if (!usable || isReserved(name)) throw new MagError('PGRST205', { table: `public.${name.slice(0, 120)}` });
}
