import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, ExecuteContext } from '../../../src/actors/storage/engine.ts';
import type { InsertQuery, Query, Row, SelectQuery } from '../../../src/protocol/query.ts';
import { documentFailures } from './documents-failures.ts';
import { documentReading } from './documents-reading.ts';
import { documentWriting } from './documents-writing.ts';
import { insert, select } from './subject.ts';

/** An engine of documents on an empty project, as the suite wants it. */
export interface DocumentEngineUnderTest {
  readonly engine: Engine;
  /** A context whose deadline is `ms` from now (default 10 s) on the engine's clock. */
  context(options?: {
    readonly ms?: number;
    readonly signal?: AbortSignal;
    readonly rollback?: boolean;
  }): ExecuteContext;
  /** Declares that no two documents of a collection share a value of the field. */
  unique(table: string, field: string): Promise<void>;
  /** A second session on the same project. */
  another(): Promise<Engine>;
  /** Closes everything that was opened for the test. */
  close(): Promise<void>;
}

/** The subject with short words; each test has a collection of its own. */
export class DocumentSubject {
  readonly under: DocumentEngineUnderTest;
  readonly table: string;

  constructor(under: DocumentEngineUnderTest, table: string) {
    this.under = under;
    this.table = table;
  }

  async execute(query: Query, context = this.under.context()) {
    return this.under.engine.execute(query, context);
  }

  async rows(query: Query): Promise<Row[]> {
    return JSON.parse((await this.execute(query)).json);
  }

  select(query: Partial<SelectQuery> = {}): SelectQuery {
    return select({ table: this.table, ...query });
  }

  insert(rows: readonly Row[], query: Partial<InsertQuery> = {}): InsertQuery {
    return insert(rows, { table: this.table, ...query });
  }

  add(...rows: Row[]): Promise<Row[]> {
    return this.rows(this.insert(rows));
  }

  async ids(query: Partial<SelectQuery> = {}): Promise<unknown[]> {
    return (await this.rows(this.select(query))).map((row) => row.id);
  }
}

/**
 * What every engine of documents and keys must do, whatever runs it: the grammar on collections without columns.
 * Call it from a test file of the engine, as engineContract is called for those with SQL.
 */
export function documentContract(name: string, makeEngine: () => Promise<DocumentEngineUnderTest>): void {
  describe(`the ${name} engine`, () => {
    let under: DocumentEngineUnderTest;
    let tests = 0;
    const subject = (): DocumentSubject => new DocumentSubject(under, `things${tests}`);

    beforeAll(async () => {
      under = await makeEngine();
    });
    afterEach(() => {
      tests += 1;
    });
    afterAll(() => under.close());

    documentReading(subject);
    documentWriting(subject);
    documentFailures(subject);

    it('closes twice, and refuses use afterwards', async () => {
      const other = await under.another();
      expect(await other.execute(subject().select(), under.context())).toMatchObject({ json: '[]' });
      await other.close();
      await other.close();
      await expect(other.execute(subject().select(), under.context())).rejects.toMatchObject({ status: 503 });
    });
  });
}
