import { createFlow, type Flow } from '../../src/streams/flow.ts';

/** So many numbers from 0 on, emitted synchronously as they are asked for, and then the end or an error. */
export function counting(count: number, error?: Error): Flow<number> {
  return createFlow((emitter) => {
    let at = 0;
    return {
      pull: () => {
        while (emitter.demand > 0 && at < count) {
          at += 1;
          emitter.next(at - 1);
        }
        if (at < count) return;
        if (error === undefined) emitter.complete();
        else emitter.error(error);
      },
    };
  });
}

export const failing = (count: number, error: Error): Flow<number> => counting(count, error);

/** Numbers without end that say when they are cancelled. */
export function cancelTold(onCancel: () => void): Flow<number> {
  return createFlow((emitter) => {
    let at = 0;
    return {
      pull: () => {
        while (emitter.demand > 0) emitter.next(at++);
      },
      cancel: onCancel,
    };
  });
}
