import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Embed, Filter, OrderTerm, SelectItem } from '../../../protocol/query.ts';
import { BoundedCache } from './bounded-cache.ts';
import { Cursor } from './cursor.ts';
import { type Addressed, applyAddressed, conjoin, requireNoRelation, tie } from './embeds.ts';
import { countTerms, parseHorizontal, parseLogic } from './filter.ts';
import { type EmbedPath, parseColumnKey, parseLogicKey, parseWordKey, ROOT, reservedWord } from './keys.ts';
import { operatorAt } from './operators.ts';
import { parseOrder, UNORDERED } from './order.ts';
import { ALL, parseSelect, type Selection } from './select.ts';
import { readNames } from './words.ts';

/** What a REST query string says, whatever the method. */
export interface Params {
  readonly select: readonly SelectItem[];
  /** Whether the select embeds other tables. */
  readonly embeds: boolean;
  /** Whether it aggregates. */
  readonly aggregates: boolean;
  readonly where: Filter | null;
  readonly order: readonly OrderTerm[];
  readonly limit: number | null;
  readonly offset: number | null;
  readonly columns: readonly string[] | null;
  readonly onConflict: readonly string[] | null;
  /** What a function is called with by GET: parameters whose values begin with no operator. */
  readonly args: readonly (readonly [name: string, value: string])[];
}

// The same few selects and orders come with every request of an application; filters carry ids and do not repeat.
const selects = new BoundedCache<Selection>(LIMITS.grammarCacheEntries);
const orders = new BoundedCache<readonly OrderTerm[]>(LIMITS.grammarCacheEntries);

const BARE_PERCENT = /%(?![\da-f]{2})/gi;

/** As PostgREST: a `%` that begins no escape stands for itself, as in `like.%25plan%`. */
function decode(raw: string): string {
  if (!raw.includes('%') && !raw.includes('+')) return raw;
  const spaced = raw.includes('+') ? raw.replaceAll('+', ' ') : raw;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return decodeLeniently(spaced);
  }
}

function decodeLeniently(raw: string): string {
  try {
    return decodeURIComponent(raw.replace(BARE_PERCENT, '%25'));
  } catch (cause) {
    throw new MagError('MAG_BAD_REQUEST', { problem: 'the URL is not UTF-8' }, { cause });
  }
}

/** A count of rows. As with PostgREST a negative limit is a 416, a negative offset is none; but digits, a PGRST100. */
function readCount(key: string, text: string): number {
  let value = 0;
  const negative = text.charCodeAt(0) === 45;
  for (let at = negative ? 1 : 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return new Cursor(text, key).unexpected('digit', at);
    value = value * 10 + digit;
  }
  if (text.length === (negative ? 1 : 0)) return new Cursor(text, key).unexpected('digit', text.length);
  if (negative && value > 0) {
    if (key === 'offset') return 0;
    throw new MagError('PGRST103', {}, { details: 'Limit should be greater than or equal to zero.' });
  }
  if (value > Number.MAX_SAFE_INTEGER) return new Cursor(text, key).refuse('the number is too large');
  return value;
}

/** Where a value begins with an operator: else it is an argument of the function that is called. */
function isCondition(value: string): boolean {
  const cursor = new Cursor(value, 'filter');
  cursor.take('not.');
  const operator = operatorAt(cursor);
  if (operator === null) return false;
  const next = value.charAt(cursor.at + wordLength(value, cursor.at));
  return next === '.' || (next === '(' && operator.kind !== 'in' && operator.kind !== 'is');
}

function wordLength(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) >= 97 && text.charCodeAt(at) <= 122) at += 1;
  return at - start;
}

/** A write's own filters know nothing of what it gives back; a function called by GET has arguments beside them. */
type Mode = 'read' | 'write' | 'call';

/** Gathers the pairs of one query string. Of what can be said only once, the first counts, as with PostgREST. */
class Reader {
  #select: Selection | null = null;
  #order: readonly OrderTerm[] | null = null;
  #limit: number | null = null;
  #offset: number | null = null;
  #columns: readonly string[] | null = null;
  #onConflict: readonly string[] | null = null;
  #where: Filter[] | null = null;
  #addressed: Addressed[] | null = null;
  #args: [string, string][] | null = null;
  #terms = 0;
  readonly #mode: Mode;

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  pair(key: string, value: string): void {
    switch (key) {
      case 'select':
        this.#select ??= selects.get(value, parseSelect);
        return;
      case 'columns':
        this.#columns ??= readNames(new Cursor(value, 'columns parameter'));
        return;
      case 'on_conflict':
        this.#onConflict ??= readNames(new Cursor(value, 'on_conflict parameter'), LIMITS.orderTerms);
        return;
      case 'apikey':
        return;
      case 'order':
        this.#order ??= orders.get(value, parseOrder);
        return;
      case 'limit':
        this.#limit = readCount(key, value);
        return;
      case 'offset':
        this.#offset = readCount(key, value);
        return;
      case 'and':
      case 'or':
        this.#filter(ROOT, parseLogic(key, false, value));
        return;
      default:
        // Without a dot it is neither addressed nor a negated group.
        if (key.includes('.')) this.#dotted(key, value);
        else this.#condition(key, value);
    }
  }

  #dotted(key: string, value: string): void {
    const word = reservedWord(key);
    if (word === null) this.#condition(key, value);
    else if (word === 'and' || word === 'or') this.#logic(word, key, value);
    else if (word === 'order') this.#ordering(parseWordKey(key), value);
    else this.#window(word, parseWordKey(key), value);
  }

  #condition(key: string, value: string): void {
    const { path, column } = parseColumnKey(key);
    if (this.#mode === 'call' && path.length === 0 && !isCondition(value)) {
      this.#args ??= [];
      this.#args.push([column.name, value]);
      return;
    }
    this.#filter(path, parseHorizontal(column, value));
  }

  #logic(kind: 'and' | 'or', key: string, value: string): void {
    const { path, negated } = parseLogicKey(key);
    this.#filter(path, parseLogic(kind, negated, value));
  }

  #filter(path: EmbedPath, filter: Filter): void {
    this.#terms += countTerms(filter);
    if (path.length > 0) {
      this.#address(path, (embed) => ({ ...embed, where: conjoin(embed.where, filter) }));
    } else if (this.#where === null) this.#where = [filter];
    else this.#where.push(filter);
  }

  #ordering(path: EmbedPath, value: string): void {
    const order = orders.get(value, parseOrder);
    this.#address(path, (embed) => (embed.order.length === 0 ? { ...embed, order } : embed));
  }

  #window(word: 'limit' | 'offset', path: EmbedPath, value: string): void {
    const count = readCount(word, value);
    this.#address(path, (embed) => ({ ...embed, [word]: count }));
  }

  #address(path: EmbedPath, apply: (embed: Embed) => Embed): void {
    this.#addressed ??= [];
    this.#addressed.push({ path, apply });
  }

  read(): Params {
    if (this.#terms > LIMITS.filterTerms) {
      new Cursor('', 'filters').refuse(`more than ${LIMITS.filterTerms} filter terms`);
    }
    const { items, embeds, aggregates } = this.#select ?? ALL;
    const addressed = this.#addressed === null ? items : applyAddressed(items, this.#addressed);
    const order = this.#order ?? UNORDERED;
    const where = combine(this.#where);
    const tied = embeds ? tie(addressed, where, order) : null;
    if (tied === null) requireNoRelation(order);
    return {
      select: tied === null ? addressed : tied.select,
      where: tied === null || this.#mode === 'write' ? where : tied.where,
      embeds,
      aggregates,
      order,
      limit: this.#limit,
      offset: this.#offset,
      columns: this.#columns,
      onConflict: this.#onConflict,
      args: this.#args ?? NO_ARGUMENTS,
    };
  }
}

const NO_ARGUMENTS: Params['args'] = [];

function combine(filters: Filter[] | null): Filter | null {
  const [first] = filters ?? [];
  if (filters === null || first === undefined) return null;
  return filters.length === 1 ? first : { kind: 'and', terms: filters, negated: false };
}

const NONE: Params = new Reader('read').read();

/**
 * A REST query string, without its `?`. Filters are conjoined; of a repeated `select`, `order`, `columns` or
 * `on_conflict` the first counts, of `limit` and `offset` the last; a key without `=` says nothing.
 *
 * Throws PGRST100 (with the column), PGRST103, PGRST108 or MAG_BAD_REQUEST, nothing else.
 */
export function parseParams(raw: string, mode: Mode = 'read'): Params {
  if (raw === '') return NONE;
  const reader = new Reader(mode);
  const end = raw.length;
  for (let start = 0; start < end; ) {
    let stop = raw.indexOf('&', start);
    if (stop === -1) stop = end;
    const equals = raw.indexOf('=', start);
    if (equals !== -1 && equals < stop) {
      reader.pair(decode(raw.slice(start, equals)), decode(raw.slice(equals + 1, stop)));
    }
    start = stop + 1;
  }
  return reader.read();
}
