import type { Embed, Filter, SelectItem, SelectQuery } from '../../../protocol/query.ts';

/** Embedded relations that a filter asks for. */
function asked(filter: Filter | undefined, names: Set<string>): Set<string> {
  if (filter === undefined) return names;
  if ('terms' in filter) for (const term of filter.terms) asked(term, names);
  else if (filter.kind === 'related') names.add(filter.relation);
  return names;
}

function deciding(items: readonly SelectItem[], where: Filter | undefined): readonly SelectItem[] {
  const names = asked(where, new Set());
  return items.flatMap((item): readonly SelectItem[] => {
    if (item.kind !== 'embed') return [];
    const { embed } = item;
    if (!embed.inner && !names.has(embed.alias ?? embed.relation)) return [];
    const { limit: _, offset: _offset, ...rest } = embed;
    const kept: Embed = { ...rest, spread: false, order: [], select: deciding(embed.select, embed.where) };
    return [{ kind: 'embed', embed: kept }];
  });
}

/** The query that matches the same rows and says nothing else: what is counted. */
export function matchingOnly({ schema, table, select, where }: SelectQuery): SelectQuery {
  const query = { kind: 'select', schema, table, select: deciding(select, where), order: [] } as const;
  return where === undefined ? query : { ...query, where };
}
