/** What an edge thread reads of related rows in SQLite; beside `inlineRows` and `inlineResultBytes` of LIMITS. */
export const INLINE_LIMITS = {
  /** With their bytes they take as long as `inlineRows` of `inlineResultBytes` do; beyond that they hold others up. */
  relatedRows: 2_000,
  relatedBytes: 512 * 1024,
  /** Reads of a plan that go to a storage process uncounted after one with too many: counting costs, too. */
  probePasses: 16,
  /** Good counts that a plan remembers while nobody writes; without a bound each value asked for would stay. */
  probesKept: 64,
} as const;
