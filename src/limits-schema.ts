/** The bounds of what is made of a project's schema, as LIMITS has the others. */
export const SCHEMA_LIMITS = {
  /** Characters of view definitions that are read for what they show: parsing them holds up the requests beside it. */
  viewTreeChars: 16 * 1024 * 1024,
  /** Views upon views that a column is followed through: without it a knot tied by hand would be followed for ever. */
  viewLevels: 32,
  /** Ways to choose the columns of one key among those of a view that shows them several times; they multiply. */
  viewKeyChoices: 64,
  /** Names that one that is not there is held against for a hint, and letters of each; the work is their product. */
  hintNames: 500,
  hintChars: 256,
  /** Relationships of a project that embeds find: views over the same tables multiply them. */
  relationships: 100_000,
} as const;
