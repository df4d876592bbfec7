import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { endsInEscape } from './like.ts';
import type { CompareOperator, Filter, IsValue } from './query.ts';

/**
 * Filters of a postgres_changes binding: `column=op.value`, several joined by commas (AND), each negated by
 * `not.`; values that hold `,()"\` are double-quoted with backslash escapes, as realtime-js writes them.
 */
const COMPARE: ReadonlySet<string> = new Set(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'like', 'ilike']);
const IS: ReadonlySet<string> = new Set(['null', 'not_null', 'true', 'false', 'unknown']);

const isCompare = (op: string): op is CompareOperator => COMPARE.has(op);
const isIsValue = (value: string): value is IsValue => IS.has(value);

const invalid = (filter: string, problem: string): MagError =>
  new MagError('MAG_FILTER_INVALID', { filter, problem });

/** Splits at commas that stand outside quotes and parentheses. */
function split(text: string, whole: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char === '\\') at += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
    if (depth < 0) throw invalid(whole, 'a parenthesis closes that was not opened');
  }
  if (quoted || depth !== 0) throw invalid(whole, 'a quote or parenthesis is not closed');
  parts.push(text.slice(start));
  return parts;
}

function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/gs, '$1');
}

/** A comma inside a plain value belongs to it, unless what follows starts a condition of its own. */
function conditions(text: string): string[] {
  const joined: string[] = [];
  for (const part of split(text, text)) {
    if (joined.length > 0 && !/^[^=,()"]+=(not\.)?[a-z]+\./.test(part))
      joined.push(`${joined.pop()},${part}`);
    else joined.push(part);
  }
  return joined;
}

function distinct(column: string, value: string, negated: boolean): Filter {
  const name = { name: column };
  if (value === 'null') return { kind: 'is', column: name, value: 'null', negated: !negated };
  const terms: Filter[] = [
    { kind: 'compare', column: name, op: 'neq', value, negated: false },
    { kind: 'is', column: name, value: 'null', negated: false },
  ];
  return { kind: 'or', terms, negated };
}

function condition(text: string): Filter {
  const match = /^([^=]+)=(not\.)?([a-z]+)\.(.*)$/s.exec(text);
  if (match === null) throw invalid(text, 'it is not column=operator.value');
  const [, column = '', not, op = '', raw = ''] = match;
  const negated = not !== undefined;
  if (op === 'in') {
    if (!raw.startsWith('(') || !raw.endsWith(')')) throw invalid(text, 'in takes (a,b,c)');
    const values = split(raw.slice(1, -1), text).map(unquote);
    if (values.length > LIMITS.inListItems) throw invalid(text, `more than ${LIMITS.inListItems} values`);
    return { kind: 'in', column: { name: column }, values, negated };
  }
  if (op === 'is') {
    if (!isIsValue(raw)) throw invalid(text, 'is takes null, not_null, true, false or unknown');
    return { kind: 'is', column: { name: column }, value: raw, negated };
  }
  if (op === 'isdistinct') return distinct(column, unquote(raw), negated);
  if (!isCompare(op)) throw invalid(text, `the operator ${op} is not supported for changes`);
  const value = unquote(raw);
  if (op.endsWith('like') && endsInEscape(value))
    throw invalid(text, 'a pattern must not end with its escape character');
  return { kind: 'compare', column: { name: column }, op, value, negated };
}

/** Parses a binding's filter; null where it is empty. Throws MAG_FILTER_INVALID. */
export function parseChangeFilter(text: string): Filter | null {
  if (text.trim() === '') return null;
  if (text.length > LIMITS.urlBytes) throw invalid('given', `longer than ${LIMITS.urlBytes} characters`);
  const terms = conditions(text).map(condition);
  if (terms.length > LIMITS.filterTerms) throw invalid(text, `more than ${LIMITS.filterTerms} conditions`);
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only : { kind: 'and', terms, negated: false };
}

/** Names of the columns a filter reads. */
export function filterColumns(filter: Filter): string[] {
  if ('terms' in filter) return filter.terms.flatMap(filterColumns);
  return 'column' in filter ? [filter.column.name] : [];
}
