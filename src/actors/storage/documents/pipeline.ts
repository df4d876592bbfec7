import { type Document, serialize } from 'bson';
import { Aggregator } from 'mingo';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { Candidates } from './candidates.ts';
import { documents, type ReadView } from './command.ts';
import { badValue, DocumentError } from './document-error.ts';
import { holding } from './held-thread.ts';
import { compileFilter } from './matcher.ts';
import type { Operation } from './operation.ts';
import { patternOf } from './pattern.ts';
import { countMatches, FindResults, ListResults, type Results } from './results.ts';
import { boundFilter, constants } from './variables.ts';
import { readDocument } from './wire.ts';

/** Stages that mingo runs; one that is not here watches or administers. (`$out` and `$merge` are output.ts's.) */
const STAGES = new Set([
  ...['$match', '$sort', '$skip', '$limit', '$project', '$addFields', '$set', '$unset', '$group', '$count'],
  ...[
    '$unwind',
    '$sortByCount',
    '$replaceRoot',
    '$replaceWith',
    '$lookup',
    '$unionWith',
    '$facet',
    '$bucket',
  ],
  ...[
    '$bucketAuto',
    '$sample',
    '$redact',
    '$setWindowFields',
    '$documents',
    '$graphLookup',
    '$fill',
    '$densify',
  ],
]);

/** Lists the sessions of whoever asks; the documents come from beside the database. */
export const SESSIONS = '$listLocalSessions';
/** Stages that a pipeline without a collection begins with. */
const SOURCES = new Set(['$documents', SESSIONS]);

const stageName = (stage: Document): string => {
  const names = Object.keys(stage);
  const [name] = names;
  if (names.length !== 1 || name === undefined)
    throw badValue('A pipeline stage specification object must contain exactly one field.');
  return name;
};

/** Throws for a stage that is unknown here. */
export function readPipeline(value: BsonValue, onCollection: boolean): readonly Document[] {
  const stages = documents(value, 'pipeline');
  if (stages.length > DOCUMENT_LIMITS.stages) throw badValue(`more than ${DOCUMENT_LIMITS.stages} stages`);
  for (const [index, stage] of stages.entries()) {
    const name = stageName(stage);
    if (name === '$changeStream')
      throw new DocumentError('ChangeStreamsNotHere', 'change streams are not in this version yet');
    const isOutput = name === '$out' || name === '$merge';
    if (isOutput && index < stages.length - 1)
      throw badValue(`${name} can only be the final stage in the pipeline`);
    if (name === SESSIONS && (index > 0 || onCollection))
      throw new DocumentError(
        'InvalidNamespace',
        `${SESSIONS} must be the first stage of a database's pipeline`,
      );
    if (!STAGES.has(name) && !isOutput && name !== SESSIONS)
      throw new DocumentError(
        'UnrecognizedStage',
        `Unrecognized pipeline stage name: '${name.slice(0, 40)}'`,
      );
    // mingo would go on for ever.
    if (name === '$sample') wholeNumber((stage[name] as Document | null)?.['size'], 'size of $sample', 1);
    if (name === '$documents' && index > 0) throw badValue('$documents must be the first stage');
  }
  if (!onCollection && !SOURCES.has(stageName(stages[0] ?? { $none: 1 })))
    throw new DocumentError(
      'InvalidNamespace',
      'a pipeline on a database must begin with $documents or $listLocalSessions',
    );
  return stages;
}

/** What stands at the front of a pipeline and is a find: match, sort, skip and limit in this order. */
interface Front {
  readonly filter: Document;
  readonly sort: Document | null;
  readonly skip: number;
  readonly limit: number;
  readonly rest: readonly Document[];
}

function frontOf(stages: readonly Document[], variables: Document): Front {
  const filters: Document[] = [];
  let sort: Document | null = null;
  let skip = 0;
  let limit = 0;
  let at = 0;
  const take = (name: string): BsonValue => {
    const stage = stages[at];
    if (stage === undefined || !Object.hasOwn(stage, name)) return undefined;
    at += 1;
    return stage[name];
  };
  for (let filter = take('$match'); filter !== undefined; filter = take('$match')) {
    if (!isPlainDocument(filter)) throw badValue('the match filter must be an expression in an object');
    filters.push(boundFilter(filter, variables));
  }
  const sorting = take('$sort');
  if (isPlainDocument(sorting)) sort = sorting;
  const passing = take('$skip');
  if (passing !== undefined) skip = wholeNumber(passing, '$skip', 0);
  const most = take('$limit');
  if (most !== undefined) limit = wholeNumber(most, '$limit', 1);
  const [only] = filters;
  const filter =
    filters.length === 0 ? {} : filters.length === 1 && only !== undefined ? only : { $and: filters };
  return { filter, sort, skip, limit, rest: stages.slice(at) };
}

function wholeNumber(value: BsonValue, stage: string, least: number): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < least)
    throw badValue(`the ${stage} must be a whole number, at least ${least}`);
  return number;
}

/** Name under which the rest of a pipeline only counts, or null: `$count`, or a `$group` of everything that sums 1. */
function countName(rest: readonly Document[]): { readonly name: string; readonly id?: BsonValue } | null {
  const [stage] = rest;
  if (stage === undefined || rest.length !== 1) return null;
  const { $count: name, $group: group } = stage;
  if (typeof name === 'string' && name !== '' && !/[$.]/.test(name)) return { name };
  if (!isPlainDocument(group)) return null;
  const members = Object.entries(group).filter(([member]) => member !== '_id');
  const [sum] = members;
  const id: BsonValue = group['_id'];
  const isConstant = id === null || typeof id === 'number';
  if (members.length !== 1 || sum === undefined || !isConstant) return null;
  return isPlainDocument(sum[1]) && Object.keys(sum[1]).length === 1 && sum[1]['$sum'] === 1
    ? { name: sum[0], id }
    : null;
}

/** mingo knows JavaScript's patterns, and not BSON's. */
function forMingo(value: BsonValue): BsonValue {
  if (Array.isArray(value)) return value.map(forMingo);
  if (isPlainDocument(value))
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, forMingo(member)]));
  return patternOf(value) ?? value;
}

/** Documents in memory, within the bound of what one command may hold. */
class Budget {
  #bytes = 0;

  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > DOCUMENT_LIMITS.sortBytes)
      throw new DocumentError(
        'ExceededMemoryLimit',
        `the pipeline needs more than ${DOCUMENT_LIMITS.sortBytes} bytes`,
      );
  }
}

async function load(results: Results, operation: Operation, budget: Budget): Promise<Document[]> {
  const loaded: Document[] = [];
  while (!results.done) {
    for (const bytes of await results.next(
      operation,
      DOCUMENT_LIMITS.sliceRows,
      DOCUMENT_LIMITS.sliceBytes,
    )) {
      budget.take(bytes.length);
      loaded.push(readDocument(bytes));
    }
  }
  return loaded;
}

/** Names of the collections that stages read beside their own, also within each other. */
function readBeside(value: BsonValue, names: Set<string> = new Set()): ReadonlySet<string> {
  if (Array.isArray(value)) for (const item of value) readBeside(item, names);
  if (!isPlainDocument(value)) return names;
  for (const [name, member] of Object.entries(value)) {
    const named: BsonValue = isPlainDocument(member) ? (member['from'] ?? member['coll']) : member;
    if (['$lookup', '$graphLookup', '$unionWith'].includes(name) && typeof named === 'string')
      names.add(named);
    readBeside(member, names);
  }
  return names;
}

/** All documents of other collections, before mingo asks for them: what it does may end at any moment. */
function loadBeside(
  stages: readonly Document[],
  { view, operation, budget }: Run,
): (name: string) => Document[] {
  const loaded = new Map<string, readonly Buffer[]>();
  for (const name of readBeside(stages as Document[])) {
    const collection = view.collections.find((each) => each.name === name);
    if (collection === undefined) continue;
    const candidates = new Candidates(collection, { kind: 'scan' });
    const found: Buffer[] = [];
    while (!candidates.done) {
      operation.check();
      for (const { bytes } of candidates.next(view.file(), operation)) {
        budget.take(bytes.length);
        found.push(bytes);
      }
    }
    loaded.set(name, found);
  }
  // Each stage its own: one may change what it is given.
  return (name) => (loaded.get(name) ?? []).map(readDocument);
}

/** Runs what mingo does; what it cannot make sense of is the pipeline's mistake, whatever it throws. */
function byMingo<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof DocumentError) throw error;
    throw badValue(error instanceof Error ? error.message.slice(0, 300) : 'the pipeline failed');
  }
}

interface Run {
  readonly view: ReadView;
  readonly variables: Document;
  readonly operation: Operation;
  readonly budget: Budget;
}

function inMemory(input: readonly Document[], stages: readonly Document[], run: Run): readonly Buffer[] {
  const { variables, operation, budget } = run;
  const collectionResolver = loadBeside(stages, run);
  const aggregator = new Aggregator(forMingo(stages) as Document[], {
    // a list of documents stays one
    scriptEnabled: false,
    variables: constants(variables),
    collectionResolver,
  });
  return holding(DOCUMENT_LIMITS.pipelineMs, () => {
    const output: Buffer[] = [];
    const iterator = aggregator.stream([...input]);
    for (let step = iterator.next(); !step.done; step = iterator.next()) {
      if (output.length % DOCUMENT_LIMITS.sliceRows === 0) operation.check();
      const bytes = Buffer.from(serialize(step.value as Document, { ignoreUndefined: true })); // every stage gives documents
      budget.take(bytes.length);
      output.push(bytes);
    }
    return output;
  });
}

/** Runs a pipeline: its front as a find does, with its indexes, what follows in memory. */
export async function runPipeline(
  stages: readonly Document[],
  view: ReadView,
  variables: Document,
  operation: Operation,
): Promise<Results> {
  const { collection, file } = view;
  const budget = new Budget();
  const { rest, ...selection } = frontOf(stages, variables);
  compileFilter(selection.filter); // Refused also where there is nothing to hold it against.
  const counted = countName(rest);
  const isPlain = selection.sort === null && selection.skip === 0 && selection.limit === 0;
  if (counted !== null && isPlain) {
    const n = collection === null ? 0 : await countMatches(collection, selection.filter, file, operation);
    const row = counted.id === undefined ? { [counted.name]: n } : { _id: counted.id, [counted.name]: n };
    return new ListResults(n === 0 ? [] : [Buffer.from(serialize(row))]);
  }
  const source =
    collection === null ? new ListResults([]) : new FindResults(collection, selection, null, file);
  if (rest.length === 0) return source;
  const input = await load(source, operation, budget);
  return new ListResults(byMingo(() => inMemory(input, rest, { view, variables, operation, budget })));
}
