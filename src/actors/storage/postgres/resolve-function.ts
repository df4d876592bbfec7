import { MagError } from '../../../errors.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { CallArguments, CallQuery, JsonValue } from '../../../protocol/query.ts';
import type { FunctionInfo, SchemaSnapshot } from '../engine.ts';

/** A function, and how its arguments are handed over. */
export interface Resolved {
  readonly function: FunctionInfo;
  /** `record`: by name, out of one JSON object · `whole`: one value for the one parameter that has no name. */
  readonly style: 'record' | 'whole';
  /** Names of the arguments given, in the order of the parameters. */
  readonly given: readonly string[];
  /** The one parameter of the statement. */
  readonly text: string;
}

const byName = new WeakMap<SchemaSnapshot, ReadonlyMap<string, readonly FunctionInfo[]>>();

function overloads(snapshot: SchemaSnapshot, schema: string, name: string): readonly FunctionInfo[] {
  let index = byName.get(snapshot);
  if (index === undefined) {
    index = Map.groupBy(snapshot.functions ?? [], (each) => JSON.stringify([each.schema, each.name]));
    byName.set(snapshot, index);
  }
  return index.get(JSON.stringify([schema, name])) ?? [];
}

/** As PostgREST: what is required must be given, and nothing that the function does not take. */
function takes({ parameters }: FunctionInfo, names: ReadonlySet<string>): boolean {
  // A variadic parameter may be left out only where it has a default.
  const required = parameters.filter(({ hasDefault }) => !hasDefault);
  if (!required.every(({ name }) => name !== '' && names.has(name))) return false;
  const known = new Set(parameters.map(({ name }) => name));
  return [...names].every((name) => known.has(name));
}

const WHOLE: Readonly<Record<Extract<CallArguments, { kind: 'body' }>['type'], readonly string[]>> = {
  ...{ json: ['json', 'jsonb'], text: ['text'], binary: ['bytea'] },
};

function takesWhole({ parameters }: FunctionInfo, type: 'json' | 'text' | 'binary'): boolean {
  const [only] = parameters;
  return parameters.length === 1 && only?.name === '' && WHOLE[type].includes(only.type);
}

function signature({ schema, name, parameters }: FunctionInfo): string {
  const list = parameters.map((each) => `${each.name} => ${each.type}`);
  return `${schema}.${name}(${list.join(', ')})`;
}

function ambiguous(candidates: readonly FunctionInfo[]): MagError {
  return new MagError('PGRST203', { candidates: candidates.map(signature).join(', ') });
}

function unknown(
  { schema, function: name, arguments: given }: CallQuery,
  known: readonly FunctionInfo[],
): MagError {
  const full = `${schema}.${name}`;
  const names = given.kind === 'named' ? Object.keys(given.values) : [];
  const without = names.length === 0;
  const list = names.join(', ');
  const searched = without ? 'without parameters' : `with parameter${names.length > 1 ? 's' : ''} ${list}`;
  const single =
    given.kind === 'body' ? ` or with a single unnamed ${WHOLE[given.type].join('/')} parameter` : '';
  const [other] = known;
  return new MagError(
    'PGRST202',
    { function: without ? `${full} without parameters` : `${full}(${list})` },
    {
      details: `Searched for the function ${full} ${searched}${single}, but no matches were found in the schema cache.`,
      hint: other === undefined ? null : `Perhaps you meant to call the function ${signature(other)}`,
    },
  );
}

/** Of several values of a URL the last one counts, except where the parameter takes them all. */
function argumentsText(
  found: FunctionInfo,
  values: { readonly [name: string]: JsonValue },
  isUrl: boolean,
): string {
  if (!isUrl) return stringifyExact(values);
  const entries = Object.entries(values).map(([name, value]): [string, JsonValue] => {
    const variadic = found.parameters.find((each) => each.name === name)?.variadic === true;
    if (variadic) return [name, Array.isArray(value) ? value : [value]];
    return [name, Array.isArray(value) ? (value.at(-1) ?? null) : value];
  });
  return stringifyExact(Object.fromEntries(entries));
}

/** Which function is meant. Throws PGRST202 where none is, PGRST203 where several are. */
export function resolveFunction(query: CallQuery, snapshot: SchemaSnapshot): Resolved {
  const known = overloads(snapshot, query.schema, query.function);
  const { arguments: given, readOnly } = query;
  if (given.kind === 'named') {
    const names = new Set(Object.keys(given.values));
    const found = known.filter((each) => takes(each, names));
    const [first] = found;
    if (found.length > 1) throw ambiguous(found);
    if (first !== undefined) {
      return {
        ...{ function: first, style: 'record', text: argumentsText(first, given.values, readOnly) },
        given: first.parameters.map(({ name }) => name).filter((name) => names.has(name)),
      };
    }
  }
  const type = given.kind === 'named' ? 'json' : given.type;
  const whole = readOnly ? [] : known.filter((each) => takesWhole(each, type));
  const [only] = whole;
  if (only === undefined) throw unknown(query, known);
  if (whole.length > 1) throw ambiguous(whole);
  const text = given.kind === 'named' ? stringifyExact(given.values) : given.value;
  return { function: only, style: 'whole', given: [], text: type === 'binary' ? `\\x${text}` : text };
}

/** What tells one function and one way of calling it from all others. */
export const calledAs = ({ readOnly }: CallQuery, { function: called, style, given }: Resolved): string =>
  JSON.stringify([signature(called), style, given, readOnly]);
