import { describe, expect, it } from 'vitest';
import { statusOfSqlState } from '../../src/sql-state.ts';

describe("a database's error", () => {
  it.each([
    ['a server without room', '53300', 503],
    ['a statement that needs more temporary files than it may have', '53400', 413],
    ['a statement that ran too long', '57014', 504],
    ['a right that is missing', '42501', 403],
    ['a value that is malformed', '22P02', 400],
    ['a class that nobody knows', 'ZZ999', 400],
    ['one that was raised with a status of its own', 'PT402', 402],
    ['one whose status is none', 'PT40A', 500],
    ['one whose status no whole reply has', 'PT101', 500],
  ])('%s has a status that tells clients whether to try again', (_what, state, status) => {
    expect(statusOfSqlState(state)).toBe(status);
  });
});
