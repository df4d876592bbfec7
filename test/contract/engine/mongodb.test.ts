import { DocumentBoard } from '../../support/document-board.ts';
import { documentContract } from './documents.ts';

documentContract('mongodb', async () => {
  const board = new DocumentBoard();
  const engine = await board.engine();
  return {
    engine,
    another: () => board.engine(),
    context: ({ rollback, ...options } = {}) => ({
      ...board.context(options),
      ...(rollback === undefined ? {} : { rollback }),
    }),
    unique: async (table, field) => {
      const index = { key: { [field]: 1 }, name: `${field}_1`, unique: true, sparse: true };
      await engine.native?.({ createIndexes: table, indexes: [index] }, board.context());
    },
    close: () => board.close(),
  };
});
