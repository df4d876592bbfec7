import { LIMITS } from '../../../limits.ts';
import { TYPE_NAMES } from './cells.ts';
import type { PgConnection } from './connection.ts';

/** Names of types by oid: the built-in ones, and a project's own as they are met. */
export class TypeNames {
  readonly #own = new Map<number, string>();

  nameOf(oid: number): string {
    return TYPE_NAMES.get(oid) ?? this.#own.get(oid) ?? 'unknown';
  }

  /** The project's DDL may have given their oids to others. */
  forget(): void {
    this.#own.clear();
  }

  async learn(oids: readonly number[], connection: PgConnection): Promise<void> {
    const missing = oids.filter((oid) => !this.#own.has(oid));
    if (missing.length === 0) return;
    const found = await connection.rows(
      'SELECT oid::text, typname FROM pg_catalog.pg_type WHERE oid = ANY ($1::pg_catalog.oid[])',
      [`{${missing.join(',')}}`],
    );
    // Types come and go with the tenant's DDL; what is dropped here is looked up again.
    if (this.#own.size > LIMITS.knownTypes) this.#own.clear();
    for (const [oid, name] of found) this.#own.set(Number(oid), name ?? 'unknown');
  }
}
