import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { describeError, type ErrorBody, MagError } from '../../errors.ts';
import type { Row } from '../../protocol/query.ts';
import { nodeHost } from '../../runtime/host-node.ts';
import type { ProjectClient } from '../project-client.ts';
import { ImportBatch } from './import-batch.ts';
import { ProgressFile } from './progress-file.ts';
import { type Format, readRows } from './rows-format.ts';
import { cellReader, hasNoColumns, refuseCsvOfDocuments } from './table-columns.ts';

interface Imported {
  readonly ref: string;
  readonly table: string;
  /** SHA-256 of the file: another one must not be taken for the rest of this one. */
  readonly digest: string;
  readonly batch: number;
  readonly rows: number;
  /** Tells this import from another one of the same file: its batches' idempotency keys begin with it. */
  readonly run: string;
}

export interface ImportOptions {
  readonly project: ProjectClient;
  readonly table: string;
  readonly file: string;
  readonly format: Format;
  /** Rows in one request, which is one transaction. */
  readonly batch: number;
  /** Columns by which a row that is there already is written over; null: it is an error. */
  readonly upsert: string | null;
  readonly resume: boolean;
  readonly progress: (rows: number) => void;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function send(options: ImportOptions, batch: ImportBatch, state: Imported): Promise<void> {
  const { project, table, upsert } = options;
  const resolution = upsert === null ? '' : 'resolution=merge-duplicates,';
  const columns = batch.columns();
  const search = [
    ...(upsert === null || upsert === '' ? [] : [`on_conflict=${encodeURIComponent(upsert)}`]),
    ...(columns === null ? [] : [`columns=${columns}`]),
  ].join('&');
  // A batch whose answer was lost is sent again under the same key, and not written twice.
  const key = `${state.run}-${state.rows}`;
  await project.request(`/rest/v1/${encodeURIComponent(table)}${search === '' ? '' : `?${search}`}`, {
    method: 'POST',
    headers: { prefer: `${resolution}return=minimal,missing=default`, 'idempotency-key': key },
    body: batch.rows,
  });
}

/** Says which rows it was, as the board's own words are of one batch. */
function importFailed(written: number, length: number, error: unknown): MagError {
  const body = error instanceof Error && 'body' in error ? (error.body as ErrorBody) : null;
  const why = [describeError(error), ...(body?.details == null ? [] : [body.details])].join('. ');
  return new MagError(
    'MAG_IMPORT_FAILED',
    { from: String(written + 1), to: String(written + length), why },
    { cause: error },
  );
}

/**
 * Writes a file's rows into a table, batch after batch. What was written before a failure stays, and `resume` goes on
 * behind it. Returns how many rows. Throws MAG_USAGE for a file that is not what it should be, and the board's errors.
 */
export async function importTable(options: ImportOptions): Promise<number> {
  const { table, file, format, batch } = options;
  const digest = await digestOf(file);
  const progress = new ProgressFile<Imported>(file, 'import');
  const run = Buffer.from(nodeHost().randomBytes(18)).toString('base64url');
  const { ref } = options.project;
  let state: Imported = { ref, table, digest, batch, rows: 0, run };
  const isSame = (one: Imported): boolean => one.ref === ref && one.table === table && one.digest === digest;
  if (options.resume) {
    state = progress.read();
    if (!isSame(state))
      throw new MagError('MAG_USAGE', {
        problem: `${file} has changed, or was begun with another table or project`,
      });
  } else {
    // Begun anew it would write twice what is there, and forget how far it was.
    const cutOff = progress.find();
    if (cutOff !== null && cutOff.rows > 0 && isSame(cutOff)) {
      const problem = `${cutOff.rows} rows of ${file} are imported already, and it was cut off: --resume goes on there; to begin anew, delete ${progress.path}`;
      throw new MagError('MAG_USAGE', { problem });
    }
  }
  // Before the first batch: one whose answer is lost must be known by its key when it is sent again.
  progress.write(state);
  if (format === 'csv') refuseCsvOfDocuments(options.project.engine);
  const typed = format === 'csv' ? await cellReader(options.project, table) : (row: Row): Row => row;
  let passed = 0;
  // An upsert leaves alone what a row does not name: on SQL a column that is told of would be written over.
  const mixed = options.upsert === null || hasNoColumns(options.project.engine);
  let rows = new ImportBatch(state.batch, mixed);
  const flush = async (): Promise<void> => {
    const { length } = rows.rows;
    if (length === 0) return;
    try {
      await send(options, rows, state);
    } catch (error) {
      throw importFailed(state.rows, length, error);
    }
    state = { ...state, rows: state.rows + length };
    rows = new ImportBatch(state.batch, mixed);
    progress.write(state);
    options.progress(state.rows);
  };
  const done = state.rows;
  for await (const row of readRows(format, file)) {
    passed += 1;
    if (passed <= done) continue;
    const next = typed(row, passed);
    if (rows.isFullFor(next)) await flush();
    rows.put(next);
  }
  await flush();
  progress.remove();
  return state.rows;
}
