import { MagError } from '../../../errors.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { CallArguments, CallQuery, JsonValue } from '../../../protocol/query.ts';
import type { FunctionInfo, SchemaSnapshot } from '../engine.ts';
import { similarName } from '../similar-name.ts';

/** A function, and how its arguments are handed over. */
export interface Resolved {
  readonly function: FunctionInfo;
  /** `record`: by name, out of one JSON object · `whole`: one value for the one parameter that has no name. */
  readonly style: 'record' | 'whole';
  /** Its values are texts, and read as such under the parameters' types. */
  readonly texts: boolean;
  /** Names of the arguments given, in the order of the parameters. */
  readonly given: readonly string[];
  /** The one parameter of the statement. */
  readonly text: string;
}

/** Content types of a body that is one argument as a whole, and the parameters without a name that take it. */
const WHOLE: Readonly<Record<Extract<CallArguments, { kind: 'body' }>['type'], readonly string[]>> = {
  ...{ json: ['json', 'jsonb'], text: ['text'], xml: ['xml'], binary: ['bytea'] },
};

/** As PostgREST: of functions whose parameters have no names it knows those that take a body as a whole. */
function isKnown({ parameters }: FunctionInfo): boolean {
  if (parameters.every(({ name }) => name !== '')) return true;
  return (
    parameters.length === 1 &&
    Object.values(WHOLE)
      .flat()
      .includes(parameters[0]?.type ?? '')
  );
}

const compareText = (left: string, right: string): number => (left < right ? -1 : Number(left > right));

/** As PostgREST lists them: the fewest parameters first, then by their names and types. */
function compareParameters(left: FunctionInfo, right: FunctionInfo): number {
  const fewer = left.parameters.length - right.parameters.length;
  if (fewer !== 0) return fewer;
  for (const [at, one] of left.parameters.entries()) {
    const other = right.parameters[at] ?? one;
    const order = compareText(one.name, other.name) || compareText(one.type, other.type);
    if (order !== 0) return order;
  }
  return 0;
}

interface Known {
  readonly names: readonly string[];
  readonly byName: ReadonlyMap<string, readonly FunctionInfo[]>;
}

const schemas = new WeakMap<SchemaSnapshot, ReadonlyMap<string, Known>>();

/** The functions of a schema that can be called; worked out once per snapshot. */
function knownIn(snapshot: SchemaSnapshot, schema: string): Known {
  let known = schemas.get(snapshot);
  if (known === undefined) {
    const all = Map.groupBy((snapshot.functions ?? []).filter(isKnown), (each) => each.schema);
    known = new Map(
      [...all].map(([name, functions]): [string, Known] => {
        const byName = Map.groupBy(functions.toSorted(compareParameters), (each) => each.name);
        return [name, { names: [...byName.keys()], byName }];
      }),
    );
    schemas.set(snapshot, known);
  }
  return known.get(schema) ?? { names: [], byName: new Map() };
}

/** As PostgREST: what is required must be given, and nothing that the function does not take. */
function takes({ parameters }: FunctionInfo, names: ReadonlySet<string>, given: CallArguments): boolean {
  if (parameters.length === 0) return names.size === 0 && (given.kind === 'named' || given.type === 'json');
  // A variadic parameter may be left out only where it has a default.
  if (!parameters.every(({ name, hasDefault }) => hasDefault || names.has(name))) return false;
  const known = new Set(parameters.map(({ name }) => name));
  return [...names].every((name) => known.has(name));
}

const hasNoName = ({ parameters }: FunctionInfo): boolean =>
  parameters.length === 1 && parameters[0]?.name === '';

function signature({ schema, name, parameters }: FunctionInfo): string {
  const list = parameters.map((each) => `${each.name} => ${each.type}`);
  return `${schema}.${name}(${list.join(', ')})`;
}

function ambiguous(candidates: readonly FunctionInfo[]): MagError {
  return new MagError('PGRST203', { candidates: candidates.map(signature).join(', ') });
}

const namesOf = (given: CallArguments): readonly string[] =>
  given.kind === 'named' ? Object.keys(given.values).toSorted() : [];

/** A similar name's could be another's secret, parameters of the function that was named could not. */
const NAME_LIKENESS = 0.75;

interface Hint {
  readonly hint?: string;
  readonly names?: readonly string[];
}

function hintFor({ schema, function: name, arguments: given }: CallQuery, known: Known): Hint {
  const list = (names: readonly string[]): string => `(${names.toSorted().join(', ')})`;
  const overloads = known.byName.get(name);
  const lists = overloads?.map(({ parameters }) => list(parameters.map((each) => each.name)));
  const found =
    lists === undefined
      ? similarName(name, known.names, NAME_LIKENESS)
      : similarName(list(namesOf(given)), lists);
  if (found === null) return {};
  const called = lists === undefined ? found : `${name}${found}`;
  const hint = `Perhaps you meant to call the function ${schema}.${called}`;
  return { hint, names: [`${schema}.${lists === undefined ? found : name}`] };
}

function unknown(query: CallQuery, known: Known): MagError {
  const { schema, function: name, arguments: given, readOnly } = query;
  const full = `${schema}.${name}`;
  const details = (searched: string): string =>
    `Searched for the function ${full} ${searched}, but no matches were found in the schema cache.`;
  if (given.kind === 'body' && given.type !== 'json') {
    const searched = `with a single unnamed ${WHOLE[given.type].join('/')} parameter`;
    return new MagError('PGRST202', { function: full }, { details: details(searched) });
  }
  const names = namesOf(given);
  const list = names.join(', ');
  const searched =
    names.length === 0 ? 'without parameters' : `with parameter${names.length > 1 ? 's' : ''} ${list}`;
  const isJson = !readOnly && (given.kind === 'body' || given.json === true);
  const single = isJson ? ` or with a single unnamed ${WHOLE.json.join('/')} parameter` : '';
  return new MagError(
    'PGRST202',
    { function: names.length === 0 ? `${full} without parameters` : `${full}(${list})` },
    { details: details(`${searched}${single}`), ...hintFor(query, known) },
  );
}

/** Of several values of a URL, or a form, the last one counts, except where the parameter takes them all. */
function argumentsText(
  found: FunctionInfo,
  values: { readonly [name: string]: JsonValue },
  areTexts: boolean,
): string {
  if (!areTexts) return stringifyExact(values);
  const entries = Object.entries(values).map(([name, value]): [string, JsonValue] => {
    const variadic = found.parameters.find((each) => each.name === name)?.variadic === true;
    if (variadic) return [name, Array.isArray(value) ? value : [value]];
    return [name, Array.isArray(value) ? (value.at(-1) ?? null) : value];
  });
  return stringifyExact(Object.fromEntries(entries));
}

/** The whole body for the one parameter that has no name. */
function wholly(found: FunctionInfo, given: CallArguments): Resolved {
  const text = given.kind === 'named' ? (given.whole ?? stringifyExact(given.values)) : given.value;
  const isBinary = given.kind === 'body' && given.type === 'binary';
  return { function: found, style: 'whole', texts: false, given: [], text: isBinary ? `\\x${text}` : text };
}

/** Which function is meant. Throws PGRST202 where none is, PGRST203 where several are. */
export function resolveFunction(query: CallQuery, snapshot: SchemaSnapshot): Resolved {
  const known = knownIn(snapshot, query.schema);
  const overloads = known.byName.get(query.function) ?? [];
  const { arguments: given, readOnly } = query;
  const names = new Set(namesOf(given));
  const found = overloads.filter((each) => takes(each, names, given));
  const [first] = found;
  if (found.length > 1) throw ambiguous(found);
  if (first !== undefined) {
    if (hasNoName(first) && names.size > 0) return wholly(first, given);
    const values = given.kind === 'named' ? given.values : {};
    const texts = readOnly || (given.kind === 'named' && given.texts === true);
    return {
      ...{ function: first, style: 'record', text: argumentsText(first, values, texts), texts },
      given: first.parameters.map(({ name }) => name).filter((name) => names.has(name)),
    };
  }
  const type = given.kind === 'named' ? 'json' : given.type;
  const takesBody = !readOnly && (given.kind === 'body' || given.json === true);
  const whole = takesBody
    ? overloads.filter((each) => hasNoName(each) && WHOLE[type].includes(each.parameters[0]?.type ?? ''))
    : [];
  const [only] = whole;
  if (only === undefined) throw unknown(query, known);
  if (whole.length > 1) throw ambiguous(whole);
  return wholly(only, given);
}

/** What tells one function and one way of calling it from all others. */
export const calledAs = (
  { readOnly }: CallQuery,
  { function: called, style, given, texts }: Resolved,
): string => JSON.stringify([signature(called), style, given, readOnly, texts]);
