import type {
  CompareOperator,
  ContainOperator,
  QuantifiedOperator,
  TextSearchOperator,
} from '../../../protocol/query.ts';
import type { Cursor } from './cursor.ts';
import { readIdentifier } from './words.ts';

export type Operator =
  | { readonly kind: 'compare'; readonly op: CompareOperator }
  | { readonly kind: 'quantified'; readonly op: QuantifiedOperator; readonly quantifier: 'any' | 'all' }
  | { readonly kind: 'contain'; readonly op: ContainOperator }
  | { readonly kind: 'text_search'; readonly op: TextSearchOperator; readonly config?: string }
  | { readonly kind: 'in' }
  | { readonly kind: 'is' };

const EXPECTED = 'operator (eq, gt, ...)';

const quantifiable = 'eq gt gte lt lte like ilike match imatch'.split(' ');
const plain = ['neq', 'isdistinct'];

function operators(): ReadonlyMap<string, Operator> {
  const known = new Map<string, Operator>([
    ['in', { kind: 'in' }],
    ['is', { kind: 'is' }],
  ]);
  // These lists spell the members of the types.
  for (const op of [...quantifiable, ...plain]) known.set(op, { kind: 'compare', op: op as CompareOperator });
  for (const op of 'cs cd ov sl sr nxl nxr adj'.split(' '))
    known.set(op, { kind: 'contain', op: op as ContainOperator });
  for (const op of 'fts plfts phfts wfts'.split(' '))
    known.set(op, { kind: 'text_search', op: op as TextSearchOperator });
  return known;
}

const OPERATORS = operators();
const QUANTIFIABLE: ReadonlySet<string> = new Set(quantifiable);

function wordAt({ text, at: start }: Cursor): string {
  let at = start;
  while (text.charCodeAt(at) >= 97 && text.charCodeAt(at) <= 122) at += 1;
  return text.slice(start, at);
}

/** The operator that stands here, whatever follows it; null where none does. */
export const operatorAt = (cursor: Cursor): Operator | null => OPERATORS.get(wordAt(cursor)) ?? null;

function readModifier(cursor: Cursor, operator: Operator): Operator {
  cursor.at += 1;
  if (operator.kind === 'text_search') {
    const config = readIdentifierOf(cursor);
    cursor.expect(')', EXPECTED);
    return { ...operator, config };
  }
  if (operator.kind !== 'compare' || !QUANTIFIABLE.has(operator.op)) {
    cursor.at -= 1;
    cursor.unexpected(EXPECTED);
  }
  const quantifier = cursor.take('any') ? 'any' : cursor.take('all') ? 'all' : cursor.unexpected(EXPECTED);
  cursor.expect(')', EXPECTED);
  // The set above holds exactly the quantified operators.
  return { kind: 'quantified', op: operator.op as QuantifiedOperator, quantifier };
}

function readIdentifierOf(cursor: Cursor): string {
  if (cursor.peek() === ')') cursor.unexpected(EXPECTED);
  return readIdentifier(cursor);
}

/** `eq.`, `like(any).`, `fts(german).`: steps over the operator and its dot. */
export function readOperator(cursor: Cursor, negated: boolean): Operator {
  const word = wordAt(cursor);
  const known = OPERATORS.get(word);
  if (known !== undefined && cursor.text.charCodeAt(cursor.at + word.length) === 46) {
    cursor.at += word.length + 1;
    return known;
  }
  if (known === undefined) {
    if (negated) cursor.unexpected(EXPECTED);
    cursor.unexpectedWord('not', `"not" or ${EXPECTED}`);
  }
  cursor.at += word.length;
  const operator = cursor.peek() === '(' ? readModifier(cursor, known) : known;
  cursor.expect('.', EXPECTED);
  return operator;
}
