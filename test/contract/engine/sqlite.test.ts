import { SqliteBoard } from '../../support/sqlite-board.ts';
import { engineContract } from './suite.ts';

engineContract('sqlite', async () => {
  const board = new SqliteBoard();
  return {
    engine: await board.engine(),
    another: () => board.engine(),
    context: (options) => board.context(options),
    words: {
      autoKey: 'integer primary key',
      json: 'json',
      bytes: 'blob',
      placeholder: () => '?',
      slow: 'with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n',
      series: (rows) =>
        `with recursive n(i) as (select 1 union all select i + 1 from n limit ${rows}) select i from n`,
    },
    close: () => board.close(),
  };
});
