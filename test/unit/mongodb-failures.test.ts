import { MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { publicError } from '../../src/actors/storage/mongodb/failures.ts';
import { errorBody, isPublicError } from '../../src/errors.ts';

const told = (error: unknown) => {
  const failure = publicError(error);
  if (!isPublicError(failure)) throw failure;
  return { body: errorBody(failure), cause: failure.cause };
};

describe('a MongoDB that is away', () => {
  it('is told without where it is, which the log has as the cause', () => {
    const selection = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:27017'), {
      name: 'MongoServerSelectionError',
    });
    const network = new MongoNetworkError('connection 3 to 10.0.0.7:27017 closed');
    const password = new MongoServerError({ message: 'Authentication failed for mag_x on db7', code: 18 });
    for (const [error, why] of [
      [selection, 'MongoDB cannot be reached'],
      [network, 'the connection to MongoDB was lost'],
      [password, 'MongoDB does not take connections of the project right now'],
    ] as const) {
      const { body, cause } = told(error);
      expect(body).toMatchObject({
        code: 'MAG_ENGINE_UNAVAILABLE',
        message: `The engine mongodb is not available: ${why}`,
        details: null,
      });
      expect(cause).toBe(error);
    }
  });
});
