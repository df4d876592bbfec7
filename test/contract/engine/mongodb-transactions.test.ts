import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { DocumentBoard } from '../../support/document-board.ts';
import { type EngineUnderTest, Subject } from './subject.ts';
import { transactions } from './transactions.ts';

/** What those tests need of SQL is a table with a unique name: here a collection with a unique index. */
const NO_WORDS: EngineUnderTest['words'] = {
  autoKey: '',
  json: '',
  bytes: '',
  slow: '',
  placeholder: () => '',
  series: () => '',
};

describe('the mongodb engine', () => {
  const board = new DocumentBoard();
  let under: EngineUnderTest;

  beforeAll(async () => {
    const engine = await board.engine();
    const indexes = [{ key: { name: 1 }, name: 'name_1', unique: true }];
    await engine.native?.({ createIndexes: 'items', indexes }, board.context());
    under = {
      engine,
      another: () => board.engine(),
      context: (options) => board.context(options),
      words: NO_WORDS,
      close: () => board.close(),
    };
  });
  beforeEach(async () => {
    await under.engine.execute({ kind: 'delete', schema: 'public', table: 'items' }, under.context());
  });
  afterAll(() => board.close());

  transactions(() => new Subject(under));
});
