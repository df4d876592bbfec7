import { DatabaseError, MagError } from '../../../errors.ts';
import type { Embed, Filter, IsValue, OrderTerm, SelectItem } from '../../../protocol/query.ts';
import type { EmbedPath } from './keys.ts';

/** Something of a query string that is meant for an embedded table. */
export interface Addressed {
  readonly path: EmbedPath;
  readonly apply: (embed: Embed) => Embed;
}

export const conjoin = (left: Filter | undefined, right: Filter): Filter => {
  if (left === undefined) return right;
  const terms = left.kind === 'and' && !left.negated ? [...left.terms, right] : [left, right];
  return { kind: 'and', terms, negated: false };
};

const nameOf = (embed: Embed): string => embed.alias ?? embed.relation;

const notEmbedded = (relation: string): MagError => new MagError('PGRST108', { relation });

/** An embed by what it is called, or else, as PostgREST's clients still do, by its table. */
function findEmbed(items: readonly SelectItem[], name: string): number {
  const called = items.findIndex((item) => item.kind === 'embed' && nameOf(item.embed) === name);
  if (called !== -1) return called;
  return items.findIndex((item) => item.kind === 'embed' && item.embed.relation === name);
}

function applyOne(
  items: readonly SelectItem[],
  { path, apply }: Addressed,
  depth: number,
): readonly SelectItem[] {
  const name = path[depth];
  if (name === undefined) return items;
  const at = findEmbed(items, name);
  const found = items[at];
  if (found?.kind !== 'embed') throw notEmbedded(name);
  const { embed } = found;
  const changed =
    depth === path.length - 1
      ? apply(embed)
      : { ...embed, select: applyOne(embed.select, { path, apply }, depth + 1) };
  return items.with(at, { kind: 'embed', embed: changed });
}

/** Puts filters, orders and windows where they belong. Throws PGRST108 where no embed has the name. */
export function applyAddressed(
  items: readonly SelectItem[],
  all: readonly Addressed[],
): readonly SelectItem[] {
  let result = items;
  for (const addressed of all) result = applyOne(result, addressed, 0);
  return result;
}

const nullness = (value: IsValue): 'null' | 'not_null' | null =>
  value === 'null' || value === 'not_null' ? value : null;

/** A filter in which `rel=is.null` asks for the embedded relation of that name, and no column. */
function relate(filter: Filter, names: ReadonlySet<string>): Filter {
  if (filter.kind === 'and' || filter.kind === 'or') {
    return { ...filter, terms: filter.terms.map((term) => relate(term, names)) };
  }
  if (filter.kind !== 'is' || filter.column.path !== undefined || !names.has(filter.column.name))
    return filter;
  const value = nullness(filter.value);
  if (value === null) return filter;
  return { kind: 'related', relation: filter.column.name, value, negated: filter.negated };
}

function namesOf(items: readonly SelectItem[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const item of items) if (item.kind === 'embed') names.add(nameOf(item.embed));
  return names;
}

/**
 * Throws 42712 where two embeds of one select have one name, as PostgreSQL says it of PostgREST's statements.
 * `table`: what they are embedded in.
 */
export function requireDistinct(items: readonly SelectItem[], table: string, depth = 1): void {
  const names = new Set<string>();
  for (const item of items) {
    if (item.kind !== 'embed') continue;
    const { embed } = item;
    const name = nameOf(embed);
    if (names.has(name)) {
      const twice = `${table}_${name}_${depth}`;
      throw new DatabaseError('42712', `table name "${twice}" specified more than once`);
    }
    names.add(name);
    requireDistinct(embed.select, embed.relation, depth + 1);
  }
}

/** Where nothing is embedded, nothing can be ordered by it. Throws PGRST108. */
export function requireNoRelation(order: readonly OrderTerm[]): void {
  for (const { relation } of order) if (relation !== undefined) throw notEmbedded(relation);
}

interface Tied {
  readonly select: readonly SelectItem[];
  readonly where: Filter | null;
}

function tieEmbed(embed: Embed): Embed {
  const { select, where } = tie(embed.select, embed.where ?? null, embed.order);
  return where === null ? { ...embed, select } : { ...embed, select, where };
}

/**
 * Ties what names an embedded relation to it, on every level: null filters become `related`, and an order by another
 * table's column must name one. Throws PGRST108.
 */
export function tie(select: readonly SelectItem[], where: Filter | null, order: readonly OrderTerm[]): Tied {
  const names = namesOf(select);
  for (const { relation } of order) {
    if (relation !== undefined && !names.has(relation)) throw notEmbedded(relation);
  }
  if (names.size === 0) return { select, where };
  return {
    select: select.map((item) =>
      item.kind === 'embed' ? { kind: 'embed', embed: tieEmbed(item.embed) } : item,
    ),
    where: where === null ? null : relate(where, names),
  };
}

/** No list of related rows longer than that, at any depth. */
export const limitEmbeds = (items: readonly SelectItem[], most: number): readonly SelectItem[] =>
  items.map((item) => {
    if (item.kind !== 'embed') return item;
    const { embed } = item;
    const limit = Math.min(embed.limit ?? most, most);
    return { kind: 'embed', embed: { ...embed, limit, select: limitEmbeds(embed.select, most) } };
  });
