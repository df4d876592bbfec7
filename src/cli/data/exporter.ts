import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import { MagError } from '../../errors.ts';
import type { JsonValue, Row } from '../../protocol/query.ts';
import type { ProjectClient } from '../project-client.ts';
import { type DocumentPage, type DocumentPlace, FIRST_PLACE, readDocuments } from './document-pages.ts';
import { ProgressFile } from './progress-file.ts';
import { csvHeader, type Format, writeRows } from './rows-format.ts';
import { describeTable, hasNoColumns, jsonColumns, refuseCsvOfDocuments } from './table-columns.ts';

/** What is on the disk for sure. */
interface Exported {
  readonly ref: string;
  readonly table: string;
  readonly names: readonly string[];
  readonly rows: number;
  readonly bytes: number;
  /** Key of the last row, by which the next page begins. */
  readonly after: readonly JsonValue[];
  /** Of documents, in place of `after`. */
  readonly place: DocumentPlace;
}

export interface ExportOptions {
  readonly project: ProjectClient;
  readonly table: string;
  readonly file: string;
  readonly format: Format;
  readonly page: number;
  readonly resume: boolean;
  readonly progress: (rows: number) => void;
}

const quoted = (value: JsonValue): string => `"${String(value).replaceAll(/[\\"]/g, '\\$&')}"`;

/** Rows behind this key: `or=(a.gt.1,and(a.eq.1,b.gt.2))`. */
function behind(key: readonly string[], after: readonly JsonValue[]): string {
  const terms = key.map((name, index) => {
    const equal = key
      .slice(0, index)
      .map((before, at) => `${quoted(before)}.eq.${quoted(after[at] ?? null)}`);
    const greater = `${quoted(name)}.gt.${quoted(after[index] ?? null)}`;
    return equal.length === 0 ? greater : `and(${[...equal, greater].join(',')})`;
  });
  return `(${terms.join(',')})`;
}

async function readPage(
  { project, table, page }: ExportOptions,
  key: readonly string[],
  after: readonly JsonValue[],
): Promise<DocumentPage> {
  const search = new URLSearchParams({ order: key.map(quoted).join(','), limit: String(page) });
  if (after.length > 0) search.set('or', behind(key, after));
  // The contract's shape of a list.
  const rows = (await project.request(`/rest/v1/${encodeURIComponent(table)}?${search}`)) as readonly Row[];
  return { rows, isLast: rows.length < page, place: FIRST_PLACE };
}

async function describe({
  project,
  table,
}: ExportOptions): Promise<{ names: string[]; key: string[]; json: ReadonlySet<string> }> {
  const found = await describeTable(project, table);
  const key = found.columns
    .filter(({ primaryKey }) => primaryKey > 0)
    .sort((one, other) => one.primaryKey - other.primaryKey)
    .map(({ name }) => name);
  if (key.length === 0)
    throw new MagError('MAG_USAGE', { problem: `${table} has no primary key to go by, page after page` });
  return { names: found.columns.map(({ name }) => name), key, json: jsonColumns(found) };
}

/**
 * Writes a table into a file, a page after the other by its primary key. Rows that are written meanwhile are in it or
 * not; none is in it twice. Returns how many rows. Throws MAG_USAGE for a table without a primary key.
 */
export async function exportTable(options: ExportOptions): Promise<number> {
  const { project, table, file, format } = options;
  if (format === 'csv') refuseCsvOfDocuments(project.engine);
  const { names, key, json } = await describe(options);
  const documents = hasNoColumns(project.engine);
  const progress = new ProgressFile<Exported>(file, 'export');
  const { ref } = project;
  let state: Exported = { ref, table, names, rows: 0, bytes: 0, after: [], place: FIRST_PLACE };
  if (options.resume) {
    state = progress.read();
    if (state.ref !== ref || state.table !== table || state.names.join() !== names.join())
      throw new MagError('MAG_USAGE', {
        problem: `${file} was begun with another table or project, or with other columns`,
      });
    truncateSync(file, state.bytes); // what came after the last note may be torn
  } else {
    const header = format === 'csv' ? csvHeader(names) : '';
    writeFileSync(file, header);
    state = { ...state, bytes: Buffer.byteLength(header) };
    progress.write(state);
  }
  for (;;) {
    const { rows, place, isLast } = documents
      ? await readDocuments(project, options, state.place)
      : await readPage(options, key, state.after);
    const last = rows.at(-1);
    const text = writeRows(format, rows, names, json);
    appendFileSync(file, text);
    state = {
      ...state,
      ...{ rows: state.rows + rows.length, bytes: state.bytes + Buffer.byteLength(text) },
      after: last === undefined ? state.after : key.map((name) => exactKey(last[name] ?? null)),
      place,
    };
    progress.write(state);
    options.progress(state.rows);
    if (isLast) break;
  }
  progress.remove();
  return state.rows;
}

/** A BigInt has no JSON; as a filter's text it is the same. */
const exactKey = (value: JsonValue): JsonValue => (typeof value === 'bigint' ? value.toString() : value);
