import type { Collection, Document } from 'mongodb';

/** A case as the drivers' CRUD specification has it: documents before, an operation, its outcome and what is left. */
export interface CrudCase {
  readonly name: string;
  readonly before: readonly Document[];
  readonly run: (collection: Collection<Document>) => Promise<unknown>;
  /** What the operation gives, as far as the case says; `error` names a server's code. */
  readonly gives?: unknown;
  readonly error?: number;
  readonly after?: readonly Document[];
}

export const numbered = (...xs: readonly number[]): Document[] =>
  xs.map((x, index) => ({ _id: index + 1, x }));
