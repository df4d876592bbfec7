import { light, type Question } from '../../src/index.ts';

/** What a worker of examples/worker-pool.ts takes. */
export type Work = Question<{ type: 'SQUARE'; n: number }, number>;

/** Loaded in the worker's own thread; some numbers are poison. */
export default () =>
  light('worker', {
    init: () => null,
    receive: (state, message: Work) => {
      if (message.n === 13) process.exit(1); // ends the whole thread, in the middle of the job
      if (message.n < 0) throw new Error('no negative numbers');
      message.reply?.(message.n * message.n);
      return state;
    },
  });
