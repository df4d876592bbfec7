import { MagError } from '../errors.ts';

/** A client that wants a single object gets it from one row, and from nothing else. */
export const notOneRow = (rows: number): MagError =>
  new MagError('PGRST116', {}, { details: `The result contains ${rows} rows` });
