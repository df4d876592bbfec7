import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { endsInEscape } from '../../../protocol/like.ts';
import type { CompareOperator, Filter, IsValue, JsonValue } from '../../../protocol/query.ts';
import { filterText, isMembers, type References } from './references.ts';

const COMPARE = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'] as const satisfies CompareOperator[];
const PATTERN = ['like', 'ilike'] as const satisfies CompareOperator[];
const IS = ['null', 'not_null', 'true', 'false', 'unknown'] as const satisfies IsValue[];

const isOneOf = <Word extends string>(words: readonly Word[], word: unknown): word is Word =>
  words.some((each) => each === word);

const invalid = (column: string, problem: string): MagError =>
  new MagError('MAG_BAD_REQUEST', { problem: `where.${column.slice(0, 100)} ${problem}` });

/** Reads the conditions of one operation, the `at`th. */
class Reader {
  readonly #references: References;
  readonly #at: number;

  constructor(references: References, at: number) {
    this.#references = references;
    this.#at = at;
  }

  condition(column: string, value: JsonValue): Filter {
    if (value === null) return this.#is(column, 'null');
    const [operator, ...others] = isMembers(value) ? Object.keys(value) : [];
    if (!isMembers(value) || operator === '$ref' || operator === '$value')
      return this.#compare(column, 'eq', value);
    if (operator === undefined || others.length > 0) throw invalid(column, 'needs one operator');
    const operand = value[operator] ?? null;
    if (operator === 'in') return this.#in(column, operand);
    if (operator === 'is') return this.#is(column, operand);
    if (isOneOf(PATTERN, operator)) return this.#pattern(column, operator, operand);
    if (!isOneOf(COMPARE, operator)) throw invalid(column, `knows no operator ${operator.slice(0, 20)}`);
    return this.#compare(column, operator, operand);
  }

  #text(column: string, value: JsonValue): string {
    const text = filterText(this.#references.read(value, this.#at));
    if (text === null) throw invalid(column, 'needs a text, number, boolean or reference');
    return text;
  }

  #compare(column: string, op: CompareOperator, operand: JsonValue): Filter {
    return {
      kind: 'compare',
      column: { name: column },
      op,
      value: this.#text(column, operand),
      negated: false,
    };
  }

  /** Never a reference: what is in a row is no pattern that anybody checked. */
  #pattern(column: string, op: CompareOperator, operand: JsonValue): Filter {
    if (typeof operand !== 'string' || endsInEscape(operand))
      throw invalid(column, `needs a pattern after ${op}`);
    return { kind: 'compare', column: { name: column }, op, value: operand, negated: false };
  }

  #in(column: string, operand: JsonValue): Filter {
    if (!Array.isArray(operand)) throw invalid(column, 'needs an array after in');
    if (operand.length > LIMITS.inListItems)
      throw invalid(column, `has more than ${LIMITS.inListItems} values`);
    const values = operand.map((item: JsonValue) => this.#text(column, item));
    return { kind: 'in', column: { name: column }, values, negated: false };
  }

  #is(column: string, operand: JsonValue): Filter {
    if (!isOneOf(IS, operand)) throw invalid(column, `needs one of ${IS.join(', ')} after is`);
    return { kind: 'is', column: { name: column }, value: operand, negated: false };
  }
}

/**
 * `{"id": 1, "owner": {"$ref": "user.0.id"}, "stock": {"gte": 2}, "deleted": null}`: each must hold. Values stay
 * values: no text is made of them that something parses. Throws MAG_BAD_REQUEST and MAG_REFERENCE_INVALID.
 */
export function readConditions(
  where: { readonly [column: string]: JsonValue },
  references: References,
  at: number,
): readonly Filter[] {
  const reader = new Reader(references, at);
  return Object.entries(where).map(([column, value]) => reader.condition(column, value));
}
