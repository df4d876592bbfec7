import { describe, expect, it } from 'vitest';
import { FIRST_PLACE, readDocuments } from '../../src/cli/data/document-pages.ts';

const collection = (ids: (number | string)[]) => ({
  ref: 'r',
  engine: 'mongodb' as const,
  request: async (path: string) => {
    const search = new URL(path, 'http://board').searchParams;
    const offset = Number(search.get('offset'));
    return ids.slice(offset, offset + Number(search.get('limit'))).map((id) => ({ id }));
  },
});

describe('a collection read page by page', () => {
  const options = { table: 'things', page: 3 };
  const read = (ids: (number | string)[], place = FIRST_PLACE) =>
    readDocuments(collection(ids), options, place);
  const idsOf = (page: Awaited<ReturnType<typeof read>>) => page.rows.map(({ id }) => id);

  it('goes on behind the last row, whatever kinds of ids there are', async () => {
    const ids = [1, 2, '1', '2', 'a', 'b', 'c'];
    const first = await read(ids);
    const second = await read(ids, first.place);
    const third = await read(ids, second.place);
    expect([first, second, third].map(idsOf)).toEqual([[1, 2, '1'], ['2', 'a', 'b'], ['c']]);
    expect(idsOf(await read(ids, third.place))).toEqual([]);
  });

  it('finds its place again where rows came before it or went, the last one too', async () => {
    const first = await read([1, 2, 3, 4, 5]);
    const shifted = [0, 0.5, 1, 2, 3, 4, 5];
    const short = await read(shifted, first.place);
    expect([idsOf(short), short.isLast]).toEqual([[4], false]);
    const rest = await read(shifted, short.place);
    expect([idsOf(rest), rest.isLast]).toEqual([[5], true]);
    expect(idsOf(await read([2, 4, 5], first.place))).toEqual([4, 5]);
    await expect(read([7, 8, 9], first.place)).rejects.toThrow('moved too far');
    expect(idsOf(await read([], first.place))).toEqual([]);
  });
});
