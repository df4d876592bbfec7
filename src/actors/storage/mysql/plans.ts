import { LIMITS } from '../../../limits.ts';
import type { Query } from '../../../protocol/query.ts';
import { compileQuery, findTable } from '../sql/compiler.ts';
import { mysqlDialect } from '../sql/dialect-mysql.ts';
import { PlanCache } from '../sql/plan-cache.ts';
import { queryShape } from '../sql/query-shape.ts';
import type { MysqlSchema, MysqlTable } from './schema.ts';
import { type Bound, MysqlStatement } from './statement.ts';

/** Compiled statements by the shape of their query; good while the schema stays. */
export class Plans {
  readonly #plans = new PlanCache<MysqlStatement>(LIMITS.planCacheEntries);

  clear(): void {
    this.#plans.clear();
  }

  /**
   * The statement of a query with its values filled in.
   * @param rows how many rows an insert writes: as many as the query has.
   */
  bind(query: Query, schema: MysqlSchema, rows = 1): Bound {
    const { key, values } = queryShape(query);
    const name = rows === 1 ? key : `${rows} rows ${key}`;
    let plan = this.#plans.get(name);
    if (plan === undefined) {
      plan = new MysqlStatement(compileQuery(query, tableOf(schema, query), mysqlDialect(rows), schema));
      this.#plans.set(name, plan);
    }
    return plan.bind(query, values);
  }
}

/** Throws PGRST205. */
export const tableOf = (schema: MysqlSchema, { schema: name, table }: Query): MysqlTable =>
  findTable(schema, name, table) as MysqlTable; // schema.ts makes no other.
