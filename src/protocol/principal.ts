/** Who asks. The service role bypasses grants; every other role sees what a grant shows it. */
export interface Principal {
  readonly role: 'anon' | 'authenticated' | 'service_role';
  /** JWT claims; empty for a bare key. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export const TABLE_ACTIONS = ['select', 'insert', 'update', 'delete'] as const;
export type TableAction = (typeof TABLE_ACTIONS)[number];

/** Roles that grants are given to; the service role needs none. */
export const GRANT_ROLES = ['anon', 'authenticated'] as const;

/** One line of a project's access rules. Without any, only the service role reads or writes. */
export interface Grant {
  readonly role: (typeof GRANT_ROLES)[number];
  /** Table name, or `*`. */
  readonly table: string;
  readonly actions: readonly TableAction[];
  /**
   * Rows it covers, as a filter in the REST grammar's logic form: `owner.eq.{sub}` or `and(a.eq.1,b.gt.2)`.
   * `{name}` is the principal's claim; a missing claim matches nothing.
   */
  readonly using?: string;
}
