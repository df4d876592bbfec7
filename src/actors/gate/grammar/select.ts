import { LIMITS } from '../../../limits.ts';
import type { Aggregate, AggregateFunction, Embed, SelectItem } from '../../../protocol/query.ts';
import { Cursor } from './cursor.ts';
import { nameOfPath } from './json-path.ts';
import { UNORDERED } from './order.ts';
import { readColumn, readIdentifier, readName } from './words.ts';

/** A select, and whether it embeds other tables and aggregates, at whatever depth. */
export interface Selection {
  readonly items: readonly SelectItem[];
  readonly embeds: boolean;
  readonly aggregates: boolean;
}

/** What a request without `select` gets: every column. */
export const ALL: Selection = { items: [{ kind: 'all' }], embeds: false, aggregates: false };

const NOTHING: readonly SelectItem[] = [];
const AFTER_FIELD = 'letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input';
const AGGREGATES: readonly AggregateFunction[] = ['sum', 'avg', 'count', 'max', 'min'];

/** Reads one select text; it counts what the whole of it holds. */
class SelectReader {
  readonly cursor: Cursor;
  aggregates = false;
  #items = 0;
  #embeds = 0;

  constructor(text: string) {
    this.cursor = new Cursor(text, 'select parameter');
  }

  get embeds(): boolean {
    return this.#embeds > 0;
  }

  items(): SelectItem[] {
    const { cursor } = this;
    const items: SelectItem[] = [];
    do {
      if (this.#items === LIMITS.selectItems) cursor.refuse(`more than ${LIMITS.selectItems} columns`);
      this.#items += 1;
      cursor.skipSpaces();
      items.push(this.#item());
      cursor.skipSpaces();
    } while (cursor.take(','));
    return items;
  }

  #item(): SelectItem {
    const { cursor } = this;
    if (cursor.take('*')) return this.#ended({ kind: 'all' }, '")", "," or end of input');
    if (cursor.take('...')) return this.#embed(readName(cursor), null, true);
    const start = cursor.at;
    const first = readName(cursor);
    const aliased = cursor.peek() === ':' && !cursor.looksAt('::');
    if (!aliased) return this.#named(start, first, null);
    cursor.at += 1;
    cursor.skipSpaces();
    const named = cursor.at;
    return this.#named(named, readName(cursor), first);
  }

  /** The cursor is behind `name`, which began at `start`. */
  #named(start: number, name: string, alias: string | null): SelectItem {
    const { cursor } = this;
    if (name === 'count' && cursor.looksAt('()') && cursor.text.charAt(start) !== '"') {
      cursor.at += 2;
      return this.#count(alias);
    }
    if (cursor.peek() === '(' || cursor.peek() === '!') return this.#embed(name, alias, false);
    cursor.at = start;
    return this.#column(alias);
  }

  #count(alias: string | null): SelectItem {
    this.aggregates = true;
    const cast = this.#cast();
    const item = { kind: 'count', ...(alias === null ? {} : { alias }), ...cast } as const;
    return this.#ended(item, '"::", ")", "," or end of input');
  }

  #column(alias: string | null): SelectItem {
    const { cursor } = this;
    const column = readColumn(cursor);
    const cast = this.#cast();
    const aggregate = cursor.take('.') ? this.#aggregate() : null;
    const known = alias ?? (aggregate === null ? defaultAlias(column) : null);
    const item: SelectItem = {
      kind: 'column',
      column,
      ...(known === null ? {} : { alias: known }),
      ...cast,
      ...(aggregate === null ? {} : { aggregate }),
    };
    return this.#ended(item, AFTER_FIELD);
  }

  #cast(): { readonly cast?: string } {
    return this.cursor.take('::') ? { cast: readIdentifier(this.cursor) } : {};
  }

  #aggregate(): Aggregate {
    const { cursor } = this;
    const found = AGGREGATES.find((name) => cursor.take(`${name}()`));
    if (found === undefined) return cursor.unexpectedWord('sum', '"sum", "avg", "count", "max" or "min"');
    this.aggregates = true;
    return { function: found, ...this.#cast() };
  }

  #embed(relation: string, alias: string | null, spread: boolean): SelectItem {
    const { cursor } = this;
    this.#embeds += 1;
    if (this.#embeds > LIMITS.embeds) cursor.refuse(`more than ${LIMITS.embeds} embedded tables`);
    cursor.depth += 1;
    if (cursor.depth > LIMITS.embedDepth) cursor.refuse(`embedded deeper than ${LIMITS.embedDepth}`);
    const { hint, inner } = this.#parameters();
    if (cursor.peek() !== '(') cursor.unexpectedRest(hint === null && !inner ? AFTER_FIELD : '"("');
    cursor.at += 1;
    cursor.skipSpaces();
    const select = cursor.peek() === ')' ? NOTHING : this.items();
    cursor.expect(')', '"," or ")"');
    cursor.depth -= 1;
    const embed: Embed = {
      relation,
      ...(alias === null ? {} : { alias }),
      ...(hint === null ? {} : { hint }),
      inner,
      spread,
      select,
      order: UNORDERED,
    };
    return this.#ended({ kind: 'embed', embed }, '")", "," or end of input');
  }

  /** `!hint`, `!inner`, `!left`: at most two of them, in any order. */
  #parameters(): { readonly hint: string | null; readonly inner: boolean } {
    const { cursor } = this;
    let hint: string | null = null;
    let inner = false;
    for (let left = 2; left > 0 && cursor.take('!'); left -= 1) {
      const quoted = cursor.peek() === '"';
      const word = readName(cursor);
      if (!quoted && word === 'inner') inner = true;
      else if (quoted || word !== 'left') hint ??= word;
    }
    return { hint, inner };
  }

  #ended<Item extends SelectItem>(item: Item, expecting: string): Item {
    const { cursor } = this;
    cursor.skipSpaces();
    const next = cursor.peek();
    if (next === '' || next === ',' || next === ')') return item;
    // The end of all, which may have a quote too many.
    if (item.kind !== 'embed' || cursor.depth > 0 || (next !== "'" && next !== '"'))
      cursor.unexpectedRest(expecting);
    return item;
  }
}

const defaultAlias = (column: ReturnType<typeof readColumn>): string | null =>
  column.path === undefined ? null : nameOfPath(column.name, column.path);

/** `*`, `a,alias:b::text,data->>c,owner:users!owner_id(name),...x(y),n.sum()`; empty: all. Throws PGRST100. */
export function parseSelect(text: string): Selection {
  if (text === '' || text === '*') return ALL;
  const reader = new SelectReader(text);
  const items = reader.items();
  reader.cursor.expectEndAfterClosers('")", "," or end of input');
  return { items, embeds: reader.embeds, aggregates: reader.aggregates };
}
