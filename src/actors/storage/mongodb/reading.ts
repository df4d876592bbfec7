import { type Document, Long } from 'bson';
import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { SelectQuery } from '../../../protocol/query.ts';
import type { QueryResult } from '../engine.ts';
import { compileFilter } from './filter.ts';
import type { Commands } from './session.ts';
import { type Ordering, orderingOf, type Shape, shapeOf, sortingStages } from './shape.ts';

const tooLarge = (): MagError =>
  new MagError('MAG_RESULT_TOO_LARGE', {
    limit: `${LIMITS.maxRows} rows or ${LIMITS.resultBytes / 1024 / 1024} MiB`,
  });

/** JSON texts of rows, within what one reply may hold. */
export class RowTexts {
  readonly #texts: string[] = [];
  #size = 0;

  add(text: string): void {
    this.#size += text.length + 1;
    if (this.#size > LIMITS.resultBytes || this.#texts.length >= LIMITS.maxRows) throw tooLarge();
    this.#texts.push(text);
  }

  get count(): number {
    return this.#texts.length;
  }

  toJson(): string {
    return `[${this.#texts.join(',')}]`;
  }
}

const isOpen = (id: unknown): boolean => Number(id) !== 0;

/** Runs a command that opens a cursor and gives each of its documents, to the end. */
export async function eachDocument(
  commands: Commands,
  command: Document,
  collection: string,
  visit: (document: Document) => void,
): Promise<void> {
  let { cursor } = await commands.run(command);
  for (const document of cursor.firstBatch as readonly Document[]) visit(document); // the protocol's own shape
  while (isOpen(cursor.id)) {
    ({ cursor } = await commands.run({ getMore: Long.fromValue(cursor.id), collection }));
    for (const document of cursor.nextBatch as readonly Document[]) visit(document); // as above
  }
}

interface Page {
  readonly table: string;
  readonly filter: Document;
  readonly sort: Document | null;
  readonly skip: number;
  readonly limit: number;
  readonly projection: Document | null;
}

function findCommand({ table, filter, sort, skip, limit, projection }: Page): Document {
  return {
    find: table,
    filter,
    ...(sort === null ? {} : { sort }),
    ...(skip === 0 ? {} : { skip }),
    limit,
    batchSize: Math.min(limit + 1, BATCH),
    ...(projection === null ? {} : { projection }),
  };
}

/** Documents of a first batch; the rest comes as large as a message may be. */
const BATCH = 1_000;

async function countOf(commands: Commands, table: string, filter: Document): Promise<number> {
  // `count` is not among what a transaction may run, and without a filter it tells what the catalogue remembers.
  const pipeline = [{ $match: filter }, { $count: 'n' }];
  const { cursor } = await commands.run({ aggregate: table, pipeline, cursor: {} });
  return Number(cursor.firstBatch[0]?.n ?? 0);
}

const both = (left: Document, right: Document): Document =>
  Object.keys(left).length === 0 ? right : { $and: [left, right] };

/** Rows with a value and rows without one, each part in its order: no index has nulls where SQL wants them. */
async function inPhases(
  commands: Commands,
  page: Page,
  moved: NonNullable<Ordering['moved']>,
  visit: (document: Document) => void,
): Promise<void> {
  const withValue = both(page.filter, { [moved.path]: { $ne: null } });
  const without = both(page.filter, { [moved.path]: null });
  const phases = moved.nulls === 'first' ? [without, withValue] : [withValue, without];
  let { skip, limit } = page;
  for (const [index, filter] of phases.entries()) {
    let found = 0;
    if (limit > 0)
      await eachDocument(commands, findCommand({ ...page, filter, skip, limit }), page.table, (document) => {
        found += 1;
        visit(document);
      });
    limit -= found;
    if (found > 0) skip = 0;
    // Only the number of rows before the next part says how many of it to pass over.
    else if (index === 0 && skip > 0 && limit > 0)
      skip = Math.max(0, skip - (await countOf(commands, page.table, filter)));
  }
}

async function readPage(
  commands: Commands,
  page: Page,
  ordering: Ordering | null,
  visit: (document: Document) => void,
): Promise<void> {
  if (ordering?.moved) return inPhases(commands, page, ordering.moved, visit);
  if (ordering === null || ordering.computed === null)
    return eachDocument(commands, findCommand(page), page.table, visit);
  const pipeline = [
    { $match: page.filter },
    ...sortingStages(ordering.computed),
    ...(page.skip === 0 ? [] : [{ $skip: page.skip }]),
    { $limit: page.limit },
    ...(page.projection === null ? [] : [{ $project: page.projection }]),
  ];
  const command = { aggregate: page.table, pipeline, cursor: { batchSize: BATCH } };
  return eachDocument(commands, command, page.table, visit);
}

/** Runs a select. The bound of rows is one more than may be given, so that a cut is noticed and refused. */
export async function runSelect(query: SelectQuery, commands: Commands): Promise<QueryResult> {
  const shape: Shape = shapeOf(query.select);
  const filter = compileFilter(query.where);
  const ordering = orderingOf(query.order);
  const rows = new RowTexts();
  const limit = query.limit ?? LIMITS.maxRows + 1;
  if (limit > 0) {
    const page: Page = {
      ...{ table: query.table, filter, sort: ordering?.sort ?? null, skip: query.offset ?? 0, limit },
      projection: shape.projection,
    };
    await readPage(commands, page, ordering, (document) => rows.add(shape.toText(document)));
  }
  const total = query.count === undefined ? null : await countOf(commands, query.table, filter);
  return {
    ...{ json: rows.toJson(), rowCount: rows.count },
    ...{ total, totalKind: total === null ? null : 'exact' },
  };
}
