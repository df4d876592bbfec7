import { LIMITS } from '../../../limits.ts';
import type { JsonValue } from '../../../protocol/query.ts';

export const METHODS = ['select', 'insert', 'upsert', 'update', 'delete', 'rpc'] as const;

/** One operation of `POST /p/REF/tx/v1`, as its body says it. */
export interface OperationBody {
  /** What later operations call it in their references. */
  readonly name?: string;
  readonly method: (typeof METHODS)[number];
  /** Of all but an rpc. */
  readonly table?: string;
  /** Of an rpc: the function's name, and its arguments by name. */
  readonly function?: string;
  readonly arguments?: { readonly [name: string]: JsonValue };
  readonly schema?: string;
  /** Of an insert or upsert: a row or an array of rows. Of an update: the columns to set. */
  readonly values?: JsonValue;
  /** A query string of the REST grammar: `select=id,total&id=eq.1`. */
  readonly query?: string;
  /** Further conditions, whose values may be references. */
  readonly where?: { readonly [column: string]: JsonValue };
  readonly columns?: readonly string[];
  readonly onConflict?: readonly string[];
  /** Of an upsert; `merge` where absent. */
  readonly resolution?: 'merge' | 'ignore';
  readonly missing?: 'default' | 'null';
  /** Any other number of rows undoes the transaction. */
  readonly expect?: { readonly rows: number };
}

export interface TransactionBody {
  readonly operations: readonly OperationBody[];
}

const closed = { type: 'object', additionalProperties: false };
const text = (maxLength: number): object => ({ type: 'string', minLength: 1, maxLength });
const names = { type: 'array', minItems: 1, maxItems: LIMITS.selectItems, items: text(LIMITS.nameChars) };

const operation = {
  ...closed,
  required: ['method'],
  properties: {
    name: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]{0,62}$' },
    method: { enum: METHODS },
    table: text(LIMITS.nameChars),
    function: text(LIMITS.nameChars),
    arguments: { type: 'object', maxProperties: LIMITS.selectItems },
    schema: text(LIMITS.nameChars),
    values: {},
    query: { type: 'string', maxLength: LIMITS.urlBytes },
    where: { type: 'object', maxProperties: LIMITS.filterTerms },
    columns: names,
    onConflict: names,
    resolution: { enum: ['merge', 'ignore'] },
    missing: { enum: ['default', 'null'] },
    expect: {
      ...closed,
      required: ['rows'],
      properties: { rows: { type: 'integer', minimum: 0, maximum: LIMITS.maxRows } },
    },
  },
};

export const transactionBody = {
  ...closed,
  required: ['operations'],
  properties: {
    operations: { type: 'array', minItems: 1, maxItems: LIMITS.transactionOperations, items: operation },
  },
};
