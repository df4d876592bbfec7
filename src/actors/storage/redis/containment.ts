import { DatabaseError } from '../../../errors.ts';
import { parseFinite } from '../../../protocol/exact-json.ts';
import type { ContainOperator, JsonValue, Row } from '../../../protocol/query.ts';
import { compareInDocument } from './document-compare.ts';

/** `{a,"b c"}` as PostgreSQL writes arrays: its elements, null where one is NULL. Null where the text is no such list. */
function arrayElements(text: string): readonly (string | null)[] | null {
  if (!text.startsWith('{') || !text.endsWith('}')) return null;
  const inner = text.slice(1, -1);
  if (inner.trim() === '') return [];
  const elements: (string | null)[] = [];
  const element = /\s*(?:"((?:[^"\\]|\\[\s\S])*)"|([^",{}]*))\s*(,|$)/y;
  for (;;) {
    const found = element.exec(inner);
    if (found === null) return null;
    const [, quoted, bare = '', end] = found;
    if (quoted !== undefined) elements.push(quoted.replace(/\\([\s\S])/g, '$1'));
    else elements.push(/^null$/i.test(bare.trim()) ? null : bare.trim());
    if (end !== ',') return elements;
  }
}

/** JSON's containment as jsonb has it: objects member by member, lists element by element, the rest by being equal. */
function contains(whole: JsonValue, part: JsonValue): boolean {
  if (Array.isArray(whole)) {
    const parts: readonly JsonValue[] = Array.isArray(part) ? part : [part];
    return parts.every((each) => whole.some((item: JsonValue) => contains(item, each)));
  }
  if (typeof whole !== 'object' || whole === null) return whole === part;
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return false;
  const [members, wanted] = [whole as Row, part as Row]; // objects that are no arrays
  return Object.entries(wanted).every(
    ([name, value]) => Object.hasOwn(members, name) && contains(members[name] ?? null, value),
  );
}

type Test = (value: JsonValue) => boolean | null;

/** Lists against a list of texts, each equal to what it is equal to as a filter's text. */
function ofElements(op: ContainOperator, elements: readonly (string | null)[]): Test {
  const equal = (item: JsonValue, text: string | null): boolean =>
    text !== null && compareInDocument(item, 'eq', text) === true;
  return (value) => {
    if (!Array.isArray(value)) return op === 'cs' && elements.length === 0 && typeof value === 'object';
    const items: readonly JsonValue[] = value;
    if (op === 'cd') return items.every((item) => elements.some((text) => equal(item, text)));
    const has = (text: string | null): boolean => items.some((item) => equal(item, text));
    return op === 'cs' ? elements.every(has) : elements.some(has);
  };
}

function ofJson(op: ContainOperator, wanted: JsonValue): Test {
  return (value) => {
    if (op === 'cs') return contains(value, wanted);
    if (op === 'cd') return contains(wanted, value);
    const parts: readonly JsonValue[] = Array.isArray(wanted) ? wanted : [wanted];
    return Array.isArray(value) && parts.some((part) => contains(value, part));
  };
}

/** What `cs`, `cd` or `ov` says of a value that is not null. Throws 22P02 where the text is neither a list nor JSON. */
export function containment(op: ContainOperator, text: string): Test {
  const elements = arrayElements(text);
  if (elements !== null && !(text.includes(':') && isJson(text))) return ofElements(op, elements);
  try {
    return ofJson(op, parseFinite(text));
  } catch (cause) {
    throw new DatabaseError('22P02', `malformed list or JSON: "${text.slice(0, 60)}"`, { cause });
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
