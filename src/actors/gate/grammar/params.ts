import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Filter, OrderTerm, SelectItem } from '../../../protocol/query.ts';
import { BoundedCache } from './bounded-cache.ts';
import { Cursor } from './cursor.ts';
import { countTerms, parseHorizontal, parseLogic } from './filter.ts';
import { parseOrder, UNORDERED } from './order.ts';
import { ALL, parseSelect } from './select.ts';
import { readName, readNames } from './words.ts';

/** What a REST query string says, whatever the method. */
export interface Params {
  select: readonly SelectItem[];
  where: Filter | null;
  order: readonly OrderTerm[];
  limit: number | null;
  offset: number | null;
  columns: readonly string[] | null;
  onConflict: readonly string[] | null;
}

// The same few selects and orders come with every request of an application; filters carry ids and do not repeat.
const selects = new BoundedCache<readonly SelectItem[]>(LIMITS.grammarCacheEntries);
const orders = new BoundedCache<readonly OrderTerm[]>(LIMITS.grammarCacheEntries);

function decode(raw: string): string {
  if (!raw.includes('%') && !raw.includes('+')) return raw;
  try {
    return decodeURIComponent(raw.includes('+') ? raw.replaceAll('+', ' ') : raw);
  } catch (cause) {
    throw new MagError('MAG_BAD_REQUEST', { problem: 'a % escape in the URL is malformed' }, { cause });
  }
}

/** A count of rows. A negative one is PostgREST's 416, anything but digits a PGRST100. */
function readCount(key: string, text: string): number {
  let value = 0;
  const negative = text.charCodeAt(0) === 45;
  for (let at = negative ? 1 : 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return new Cursor(text, key, at).fail('expected a whole number');
    value = value * 10 + digit;
  }
  if (text.length === (negative ? 1 : 0)) return new Cursor(text, key).fail('expected a whole number');
  if (negative && value > 0) {
    throw new MagError('PGRST103', {}, { details: `${key} must not be negative` });
  }
  if (value > Number.MAX_SAFE_INTEGER) return new Cursor(text, key).fail('the number is too large');
  return value;
}

function readColumn(key: string): string {
  const cursor = new Cursor(key, 'the filter column');
  const name = readName(cursor);
  if (cursor.looksAt('.')) cursor.fail('filters on embedded tables are not supported yet');
  cursor.expectEnd();
  return name;
}

function readPair(params: Params, filters: Filter[], key: string, value: string): void {
  switch (key) {
    case 'select':
      params.select = selects.get(value, parseSelect);
      return;
    case 'order':
      params.order = orders.get(value, parseOrder);
      return;
    case 'limit':
      params.limit = readCount(key, value);
      return;
    case 'offset':
      params.offset = readCount(key, value);
      return;
    case 'columns':
      params.columns = value === '' ? [] : readNames(new Cursor(value, 'columns'), LIMITS.selectItems);
      return;
    case 'on_conflict':
      params.onConflict = readNames(new Cursor(value, 'on_conflict'), LIMITS.orderTerms);
      return;
    case 'and':
    case 'or':
      filters.push(parseLogic(key, false, value));
      return;
    case 'not.and':
      filters.push(parseLogic('and', true, value));
      return;
    case 'not.or':
      filters.push(parseLogic('or', true, value));
      return;
    case 'apikey':
      return;
    default:
      filters.push(parseHorizontal(readColumn(key), value));
  }
}

function combine(filters: Filter[]): Filter | null {
  const [first] = filters;
  if (first === undefined) return null;
  if (filters.length === 1) return first;
  let terms = 0;
  for (const filter of filters) terms += countTerms(filter);
  if (terms > LIMITS.filterTerms) {
    throw new MagError(
      'PGRST100',
      { what: 'the filters', problem: `more than ${LIMITS.filterTerms} filter terms` },
      { details: `${terms} filter terms` },
    );
  }
  return { kind: 'and', terms: filters, negated: false };
}

/**
 * A REST query string, without its `?`. Filters are conjoined; a repeated `select`, `order`, `limit` or `offset`
 * overrides the one before. Throws PGRST100 (with a position), PGRST103 or MAG_BAD_REQUEST, nothing else.
 */
export function parseParams(raw: string): Params {
  const params: Params = {
    select: ALL,
    where: null,
    order: UNORDERED,
    limit: null,
    offset: null,
    columns: null,
    onConflict: null,
  };
  if (raw === '') return params;
  const filters: Filter[] = [];
  const end = raw.length;
  for (let start = 0; start < end; ) {
    let stop = raw.indexOf('&', start);
    if (stop === -1) stop = end;
    if (stop > start) {
      let equals = raw.indexOf('=', start);
      if (equals === -1 || equals > stop) equals = stop;
      const value = equals < stop ? raw.slice(equals + 1, stop) : '';
      readPair(params, filters, decode(raw.slice(start, equals)), decode(value));
    }
    start = stop + 1;
  }
  params.where = combine(filters);
  return params;
}
