import type { FunctionInfo } from '../storage/engine.ts';
import { IDEMPOTENCY_KEY } from './board-document.ts';

/** The JSON schema of a value of a type of the engine. */
type TypeSchema = (type: string) => object;

type Parameter = FunctionInfo['parameters'][number];

/** What a call's body is: an object of the arguments, or where a lone one has no name, its value. */
function bodyOf({ parameters }: FunctionInfo, schemaOf: TypeSchema): object {
  const [only] = parameters;
  if (parameters.length === 1 && only?.name === '') return schemaOf(only.type);
  const required = parameters.filter(({ hasDefault, variadic }) => !hasDefault && !variadic);
  return {
    type: 'object',
    required: required.map(({ name }) => name),
    properties: Object.fromEntries(
      parameters.map(({ name, type }) => [name, { ...schemaOf(type), description: type }]),
    ),
  };
}

function replyOf({ returns }: FunctionInfo, schemaOf: TypeSchema): object {
  const { columns } = returns;
  const value = returns.composite
    ? {
        type: 'object',
        ...(columns && {
          properties: Object.fromEntries(columns.map(({ name, type }) => [name, schemaOf(type)])),
        }),
      }
    : schemaOf(returns.type);
  return returns.set ? { type: 'array', items: value } : value;
}

/** Where several functions share a name, one of them. */
function oneOf(schemas: readonly object[]): object {
  const [first = {}] = schemas;
  return schemas.length > 1 ? { oneOf: schemas } : first;
}

/** Everything in the query is text; by how many of one name's functions it is wanted says whether it must be there. */
function inQuery(functions: readonly FunctionInfo[], schemaOf: TypeSchema): object[] {
  const found = new Map<string, Parameter>();
  for (const { parameters } of functions)
    for (const each of parameters) if (each.name !== '') found.set(each.name, each);
  const always = (name: string): boolean =>
    functions.every(({ parameters }) =>
      parameters.some((each) => each.name === name && !each.hasDefault && !each.variadic),
    );
  return [...found.values()].map(({ name, type, variadic }) => ({
    ...{ name, in: 'query', required: always(name), description: type },
    schema: variadic || !type.endsWith('[]') ? schemaOf(type) : { type: 'string' },
  }));
}

function pathOf(name: string, functions: readonly FunctionInfo[], schemaOf: TypeSchema): object {
  const json = (each: (one: FunctionInfo, schema: TypeSchema) => object): object => ({
    'application/json': { schema: oneOf(functions.map((one) => each(one, schemaOf))) },
  });
  const summary = `Call ${name}`;
  const responses = {
    200: { description: 'Done', content: json(replyOf) },
    default: { $ref: '#/components/responses/Error' },
  };
  const requestBody = { content: json(bodyOf) };
  const post = { summary, parameters: [IDEMPOTENCY_KEY], requestBody, responses };
  const reading = functions.filter(({ volatile }) => !volatile);
  if (reading.length === 0) return { post };
  return { get: { summary, parameters: inQuery(reading, schemaOf), responses }, post };
}

/** Paths of functions, `/rpc/NAME`; those that may write are not called by GET. */
export function functionPaths(functions: readonly FunctionInfo[], schemaOf: TypeSchema): object {
  const names = Map.groupBy(functions, ({ name }) => name);
  return Object.fromEntries(
    [...names].map(([name, own]) => [`/rpc/${encodeURIComponent(name)}`, pathOf(name, own, schemaOf)]),
  );
}
