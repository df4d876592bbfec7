import { DatabaseError, MagError } from '../../../errors.ts';
import type { ColumnRef, Filter, OrderTerm } from '../../../protocol/query.ts';
import type { Expressions, SqlColumn, Value, WrittenKey } from './dialect.ts';
import type { Bindings, Scope } from './scope.ts';

const COMPARISONS = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

export function expressionsOf(bindings: Bindings, what: string): Expressions {
  const { expressions } = bindings.dialect;
  if (expressions === undefined) throw bindings.unsupported(what);
  return expressions;
}

/** What is compared or sorted by: an expression, and the column that its values are bound as. */
interface Operand {
  readonly sql: string;
  readonly info: SqlColumn;
  readonly value: Value;
}

export function operandOf(bindings: Bindings, scope: Scope, { name, path }: ColumnRef): Operand {
  const column = scope.column(name);
  const sql = scope.text(name);
  if (path === undefined) return { sql, info: column, value: { sql, type: column.type, json: false } };
  const value = expressionsOf(bindings, 'read JSON paths').path(sql, column, path);
  if (value === null) throw bindings.unsupported('read a JSON path with such a key');
  const { representation: _, ...plain } = column; // It is of the whole value.
  return { sql: value.sql, info: { ...plain, type: value.type, nullable: true }, value };
}

/** JSON that an engine only knows as text is not compared: equal values may be written differently. */
export function comparable(bindings: Bindings, scope: Scope, column: ColumnRef): Operand {
  const operand = operandOf(bindings, scope, column);
  requireComparable(bindings, operand.value);
  return operand;
}

export function requireComparable(bindings: Bindings, { json }: Value): void {
  if (json && bindings.dialect.expressions?.comparesJson === false)
    throw bindings.unsupported('compare or sort JSON values (->); texts (->>) it can');
}

function required(bindings: Bindings, text: string | null, what: string): string {
  if (text === null) throw bindings.unsupported(what);
  return text;
}

function isCondition(bindings: Bindings, scope: Scope, filter: Extract<Filter, { kind: 'is' }>): string {
  const { sql, value } = operandOf(bindings, scope, filter.column);
  const isNull = filter.value === 'null' || filter.value === 'not_null';
  if (filter.column.path !== undefined && !isNull) {
    const word = filter.value.toUpperCase();
    throw new DatabaseError('42804', `argument of IS ${word} must be type boolean, not type ${value.type}`);
  }
  return bindings.dialect.is(sql, filter.value);
}

function comparison(bindings: Bindings, scope: Scope, filter: Extract<Filter, { kind: 'compare' }>): string {
  const { op } = filter;
  const { sql, info } = comparable(bindings, scope, filter.column);
  switch (op) {
    case 'like':
    case 'ilike': {
      const caseInsensitive = op === 'ilike';
      return bindings.dialect.like(sql, bindings.pattern('pattern', info, caseInsensitive), caseInsensitive);
    }
    case 'match':
    case 'imatch':
    case 'isdistinct': {
      const expressions = expressionsOf(bindings, `compare with ${op}`);
      const text = expressions.compare(op, sql, bindings.value('text', info));
      return required(bindings, text, `compare with ${op}`);
    }
    default:
      return `${sql} ${COMPARISONS[op]} ${bindings.value('text', info)}`;
  }
}

function quantified(
  bindings: Bindings,
  scope: Scope,
  filter: Extract<Filter, { kind: 'quantified' }>,
): string {
  const { op, quantifier } = filter;
  const what = `compare with ${op}(${quantifier})`;
  const expressions = expressionsOf(bindings, what);
  const { sql, info } = comparable(bindings, scope, filter.column);
  const isPattern = op === 'like' || op === 'ilike';
  const bound = isPattern ? bindings.pattern('patterns', info, op === 'ilike') : bindings.value('list', info);
  return required(bindings, expressions.quantified(op, quantifier, sql, bound), what);
}

function related({ relation, value }: Extract<Filter, { kind: 'related' }>, scope: Scope): string {
  const embed = scope.embeds.get(relation);
  if (embed === undefined) throw new MagError('PGRST108', { relation });
  return value === 'null' ? `NOT ${embed.exists}` : embed.exists;
}

/** A filter as a condition without the word WHERE. Throws 42703 for an unknown column. */
export function conditionOf(bindings: Bindings, scope: Scope, filter: Filter): string {
  const text = plainCondition(bindings, scope, filter);
  return filter.negated ? `NOT (${text})` : text;
}

function plainCondition(bindings: Bindings, scope: Scope, filter: Filter): string {
  switch (filter.kind) {
    case 'compare':
      return comparison(bindings, scope, filter);
    case 'in': {
      const { sql, info } = comparable(bindings, scope, filter.column);
      return bindings.dialect.inList(sql, bindings.value('list', info));
    }
    case 'is':
      return isCondition(bindings, scope, filter);
    case 'quantified':
      return quantified(bindings, scope, filter);
    case 'contain': {
      const expressions = expressionsOf(bindings, `compare with ${filter.op}`);
      const { sql, info } = comparable(bindings, scope, filter.column);
      const text = expressions.contain(filter.op, sql, bindings.value('text', info));
      return required(bindings, text, `compare with ${filter.op}`);
    }
    case 'text_search': {
      const expressions = expressionsOf(bindings, 'search full text');
      const { value, info } = operandOf(bindings, scope, filter.column);
      const { representation: _, ...plain } = info; // What is searched for is a query, and no value.
      const searched =
        filter.column.path === undefined ? { ...value, type: info.baseType ?? value.type } : value;
      const bound = bindings.value('text', plain);
      const text = expressions.textSearch(filter.op, searched, bound, filter.config);
      return required(bindings, text, 'search full text');
    }
    case 'related':
      return related(filter, scope);
    default: {
      // An empty conjunction holds, an empty disjunction does not.
      if (filter.terms.length === 0) return filter.kind === 'and' ? '1 = 1' : '1 = 0';
      const word = filter.kind === 'and' ? ' AND ' : ' OR ';
      return `(${filter.terms.map((term) => conditionOf(bindings, scope, term)).join(word)})`;
    }
  }
}

function orderOperand(bindings: Bindings, scope: Scope, term: OrderTerm): Pick<Operand, 'sql' | 'info'> {
  const { relation, column } = term;
  if (relation === undefined) return comparable(bindings, scope, column);
  const embed = scope.embeds.get(relation);
  if (embed === undefined) throw new MagError('PGRST108', { relation });
  if (embed.column === null) {
    const details = `'${scope.table.name}' and '${relation}' do not form a many-to-one or one-to-one relationship`;
    throw new MagError('PGRST118', { relation }, { details });
  }
  return embed.column(column);
}

/** As PostgreSQL, which takes NULL for the greatest of all values. */
const nullsOf = ({ nulls, direction }: OrderTerm): 'first' | 'last' =>
  nulls ?? (direction === 'asc' ? 'last' : 'first');

/** Terms of an order that the engine is to make itself. */
export function orderKeys(
  bindings: Bindings,
  scope: Scope,
  terms: readonly OrderTerm[],
): readonly WrittenKey[] {
  return terms.map((term) => {
    const isColumn = term.relation === undefined && term.column.path === undefined;
    const { sql } = orderOperand(bindings, scope, term);
    const column = isColumn ? term.column.name : null;
    return { sql, column, direction: term.direction, nulls: nullsOf(term) };
  });
}

/**
 * Terms of ORDER BY, or null where there are none.
 * @param grouped gives what a term is called once rows are grouped; absent where they are not.
 */
export function orderOf(
  bindings: Bindings,
  scope: Scope,
  terms: readonly OrderTerm[],
  grouped?: (sql: string, term: OrderTerm) => string,
): string | null {
  if (terms.length === 0) return null;
  return terms
    .map((term) => {
      const { sql, info } = orderOperand(bindings, scope, term);
      const text = grouped === undefined ? sql : grouped(sql, term);
      return bindings.dialect.orderTerm(text, info, term.direction, nullsOf(term));
    })
    .join(', ');
}
