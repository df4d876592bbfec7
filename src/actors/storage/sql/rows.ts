import { DatabaseError, MagError } from '../../../errors.ts';
import type {
  Aggregate,
  ColumnRef,
  Embed,
  Filter,
  Join,
  OrderTerm,
  SelectItem,
} from '../../../protocol/query.ts';
import type { SchemaSnapshot, TableInfo } from '../engine.ts';
import { joinOf } from '../relationships.ts';
import {
  comparable,
  conditionOf,
  expressionsOf,
  operandOf,
  orderOf,
  requireComparable,
} from './conditions.ts';
import type { Expressions, NamedValue, RowsParts, SqlColumn, Value } from './dialect.ts';
import { type Bindings, type CompiledEmbed, computedOf, Scope } from './scope.ts';
import { findTable } from './tables.ts';

/** What a level of rows is read by; a select, an embed or a call. */
export interface Level {
  readonly select: readonly SelectItem[];
  readonly where?: Filter;
  readonly order: readonly OrderTerm[];
  readonly limit?: number;
  readonly offset?: number;
}

/** A value of a level's rows; with `aggregate` what is aggregated, null standing for whole rows. */
interface Output {
  readonly name: string;
  readonly value: Value | null;
  readonly aggregate: Aggregate | null;
  /** The column that the value is, where it is a whole one: how it is shown is settled once rows are grouped. */
  readonly column?: SqlColumn;
}

interface CompiledLevel {
  readonly rows: RowsParts;
  /** The rows before they are grouped. */
  readonly base: { readonly from: string; readonly where: string | null };
}

const NO_AGGREGATES = 'Aggregates are not implemented for one-to-many or many-to-many spreads.';

/** A value that is ordered by, and was no column. */
const ANY_COLUMN = { nullable: true, hasDefault: false, primaryKey: 0 } as const;

/** Conditions that must all hold, as one; null where there is none. */
const all = (conditions: readonly string[]): string | null =>
  conditions.length === 0 ? null : conditions.join(' AND ');

const sourceOf = ({ from, where }: CompiledLevel['base']): string =>
  `FROM ${from}${where === null ? '' : ` WHERE ${where}`}`;

function exists(source: string, { limit, offset }: Pick<RowsParts, 'limit' | 'offset'>): string {
  // Without a limit an offset has no portable text; the row that is skipped to is looked for.
  const most = limit ?? (offset === null ? null : '9223372036854775807');
  return `EXISTS (SELECT 1 ${source}${most === null ? '' : ` LIMIT ${most}`}${offset === null ? '' : ` OFFSET ${offset}`})`;
}

/** `count`, `rel(count)`: clients of PostgREST count so, where the table has no such column. */
const countsRows = (item: Extract<SelectItem, { kind: 'column' }>, table: TableInfo): boolean =>
  item.column.name === 'count' &&
  item.column.path === undefined &&
  item.aggregate === undefined &&
  !table.columns.some(({ name }) => name === 'count') &&
  computedOf(table, 'count') === undefined;

const isShownOtherwise = ({ representation }: SqlColumn): boolean => representation?.toJson !== undefined;

/** Whether the items are columns of the table alone, which a dialect writes without its expressions. */
export function isPlain(items: readonly SelectItem[], table: TableInfo): boolean {
  const otherwise = table.columns.filter(isShownOtherwise);
  return items.every((item) => {
    if (item.kind === 'all') return otherwise.length === 0;
    if (item.kind !== 'column' || item.column.path !== undefined) return false;
    const { name } = item.column;
    return (
      item.cast === undefined &&
      item.aggregate === undefined &&
      computedOf(table, name) === undefined &&
      !countsRows(item, table) &&
      !otherwise.some((column) => column.name === name)
    );
  });
}

/** What stands for a whole row where rows of a spread are counted: there, or NULL where there is none. */
const ROW: Value = { sql: '1', type: 'integer', json: false };

/** Of what a function gives that says `ROWS 1`, which PostgreSQL only plans by: a second row would be an error. */
const firstOf = <W extends Pick<RowsParts, 'limit'>>(window: W): W => ({
  ...window,
  limit: window.limit === null ? '1' : `LEAST(${window.limit}, 1)`,
});

/** Compiles rows whose values are more than columns: of JSON, cast, aggregated, or of related tables. */
export class RowsCompiler {
  readonly #bindings: Bindings;
  readonly #expressions: Expressions;
  readonly #snapshot: SchemaSnapshot;
  /** What the statement writes, where that must not be read again. */
  readonly #written: TableInfo | null;

  constructor(bindings: Bindings, snapshot: SchemaSnapshot, written: TableInfo | null) {
    this.#bindings = bindings;
    this.#expressions = expressionsOf(bindings, 'give more than columns');
    this.#snapshot = snapshot;
    this.#written = this.#expressions.rereadsWritten ? null : written;
  }

  /** @param conditions what must hold beside the level's own filter. */
  level(scope: Scope, from: string, conditions: readonly string[], level: Level): CompiledLevel {
    const required: string[] = [...conditions];
    const outputs = this.#outputs(scope, level.select, required);
    if (level.where !== undefined) required.push(conditionOf(this.#bindings, scope, level.where));
    const base = { from, where: all(required) };
    const grouped = outputs.some(({ aggregate }) => aggregate !== null);
    const rows = grouped
      ? this.#group(scope, base, outputs, level)
      : this.#plain(scope, base, outputs, level);
    return { rows: { ...rows, ...this.#window(level) }, base };
  }

  #window({ limit, offset }: Level): Pick<RowsParts, 'limit' | 'offset'> {
    return {
      limit: limit === undefined ? null : this.#bindings.value('count', null),
      offset: offset === undefined ? null : this.#bindings.value('count', null),
    };
  }

  #plain(
    scope: Scope,
    base: CompiledLevel['base'],
    outputs: readonly Output[],
    level: Level,
  ): Omit<RowsParts, 'limit' | 'offset'> {
    const output = outputs.flatMap((each) => {
      const value = this.#shown(each);
      return value === null ? [] : [{ name: each.name, value }];
    });
    return {
      ...base,
      output,
      grouped: false,
      group: null,
      order: orderOf(this.#bindings, scope, level.order),
    };
  }

  /**
   * Values are worked out first and aggregated around that: what a group is made by may be any expression, and is
   * written once.
   */
  #group(
    scope: Scope,
    base: CompiledLevel['base'],
    outputs: readonly Output[],
    level: Level,
  ): Omit<RowsParts, 'limit' | 'offset'> {
    if (this.#expressions.groupsInPlace === true) return this.#groupInPlace(scope, base, outputs, level);
    const alias = this.#bindings.alias();
    const inner: NamedValue[] = [];
    const groups = new Map<string, string>();
    const output = outputs.map((each): NamedValue => {
      const { name, value, aggregate } = each;
      if (value === null) return { name, value: this.#aggregated(aggregate, null) };
      const given = aggregate === null ? this.#expressions.groupable(value) : value;
      const column = `${alias}.${this.#bindings.dialect.quoteIdentifier(`c${inner.length}`)}`;
      inner.push({ name: `c${inner.length}`, value: given });
      const read = { ...given, sql: column };
      if (aggregate !== null) return { name, value: this.#aggregated(aggregate, read) };
      groups.set(value.sql, column);
      return { name, value: this.#shown({ ...each, value: read }) ?? read };
    });
    // Rows that are only counted have no value of their own.
    if (inner.length === 0) inner.push({ name: 'c0', value: ROW });
    const rows = {
      ...base,
      output: inner,
      grouped: false,
      group: null,
      order: null,
      limit: null,
      offset: null,
    };
    const order = this.#groupedOrder(scope, level, groups);
    const group = groups.size === 0 ? null : [...groups.values()].join(', ');
    return {
      output,
      from: `${this.#expressions.derived(rows)} AS ${alias}`,
      where: null,
      grouped: true,
      group,
      order,
    };
  }

  #groupInPlace(
    scope: Scope,
    base: CompiledLevel['base'],
    outputs: readonly Output[],
    level: Level,
  ): Omit<RowsParts, 'limit' | 'offset'> {
    const groups = new Map<string, string>();
    const output = outputs.map(({ name, value, aggregate }): NamedValue => {
      if (value === null || aggregate !== null) return { name, value: this.#aggregated(aggregate, value) };
      const read = this.#expressions.groupable(value);
      groups.set(value.sql, read.sql);
      return { name, value: read };
    });
    const order = this.#groupedOrder(scope, level, groups);
    const group = groups.size === 0 ? null : [...groups.values()].join(', ');
    return { output, ...base, grouped: true, group, order };
  }

  /** @param groups what rows are grouped by, and what that is called. */
  #groupedOrder(scope: Scope, level: Level, groups: ReadonlyMap<string, string>): string | null {
    return orderOf(this.#bindings, scope, level.order, (sql, term) => {
      const column = groups.get(sql);
      if (column !== undefined) return column;
      const name = `${scope.table.name}.${term.column.name}`;
      throw new DatabaseError(
        '42803',
        `column "${name}" must appear in the GROUP BY clause or be used in an aggregate function`,
      );
    });
  }

  #shown({ value, column }: Output): Value | null {
    if (value === null || column === undefined) return value;
    return this.#expressions.shown?.(value, column) ?? value;
  }

  #aggregated(aggregate: Aggregate | null, value: Value | null): Value {
    const result = this.#expressions.aggregate(aggregate?.function ?? 'count', value);
    return aggregate?.cast === undefined ? result : this.#cast(result, aggregate.cast);
  }

  #cast(value: Value, type: string): Value {
    const result = this.#expressions.cast(value, type);
    if (result === null) throw this.#bindings.unsupported(`cast to ${type}`);
    return result;
  }

  /** The values in order; what an inner embed requires of the row is added to `required`. */
  #outputs(scope: Scope, items: readonly SelectItem[], required: string[]): readonly Output[] {
    return items.flatMap((item): readonly Output[] => {
      switch (item.kind) {
        case 'all':
          return scope.table.columns.map((column) => ({
            ...{ name: column.name, aggregate: null, column },
            value: { sql: scope.text(column.name), type: column.type, json: false },
          }));
        case 'column': {
          if (countsRows(item, scope.table))
            return [{ name: item.alias ?? 'count', value: null, aggregate: { function: 'count' } }];
          const { value: read, info: column } = operandOf(this.#bindings, scope, item.column);
          const aggregate = item.aggregate ?? null;
          const name = item.alias ?? aggregate?.function ?? item.column.name;
          if (item.cast === undefined)
            return [{ ...{ name, value: read, aggregate }, ...(aggregate === null ? { column } : {}) }];
          // As PostgREST: what is cast is what is shown.
          const shown = this.#shown({ name, value: read, aggregate, column }) ?? read;
          return [{ name, value: this.#cast(shown, item.cast), aggregate }];
        }
        case 'count': {
          const cast = item.cast === undefined ? {} : { cast: item.cast };
          return [{ name: item.alias ?? 'count', value: null, aggregate: { function: 'count', ...cast } }];
        }
        default:
          return this.#embed(scope, item.embed, required);
      }
    });
  }

  #embed(outer: Scope, embed: Embed, required: string[]): readonly Output[] {
    const { schema, name } = outer.table;
    const join = embed.join ?? joinOf(embed, { schema, name }, this.#snapshot);
    const table = findTable(this.#snapshot, join.schema, join.table);
    const values = this.#bindings.params.length;
    const scope = new Scope(table, this.#bindings.alias(), this.#bindings, true, outer.depth + 1);
    const { from, conditions } = this.#joined(outer, scope, join);
    const inside: string[] = [...conditions];
    const outputs = this.#outputs(scope, embed.select, inside);
    if (embed.where !== undefined) inside.push(conditionOf(this.#bindings, scope, embed.where));
    const base = { from, where: all(inside) };
    const grouped = outputs.some(({ aggregate }) => aggregate !== null);
    const hoists = embed.spread && grouped;
    const parts =
      grouped && !hoists
        ? this.#group(scope, base, outputs, embed)
        : this.#plain(scope, base, outputs, embed);
    const window = this.#window(embed);
    const isFirst = join.toOne && join.call !== undefined;
    const rows: RowsParts = { ...parts, ...(isFirst ? firstOf(window) : window) };
    const compiled = this.#compiledEmbed(scope, base, rows, join, outputs);
    outer.embeds.set(embed.alias ?? embed.relation, compiled);
    if (embed.inner) required.push(compiled.exists);
    if (!embed.spread) {
      // Nothing to show of it: it only filters, or not even that, but a statement has to use each of its values.
      if (outputs.length === 0) {
        if (!embed.inner && this.#bindings.params.length > values)
          required.push(`(${compiled.exists} OR 1 = 1)`);
        return [];
      }
      const value = join.toOne ? this.#expressions.object(rows) : this.#expressions.array(rows);
      return [{ name: embed.alias ?? embed.relation, value, aggregate: null }];
    }
    if (hoists && !join.toOne) throw new MagError('PGRST127', {}, { details: NO_AGGREGATES });
    return outputs.map((each) => {
      const { name: called, aggregate } = each;
      const value = this.#shown(each) ?? ROW;
      const only = { ...rows, output: [{ name: called, value }] };
      const spread = join.toOne ? this.#expressions.one(only) : this.#expressions.list(only);
      return { name: called, value: spread, aggregate };
    });
  }

  #compiledEmbed(
    scope: Scope,
    base: CompiledLevel['base'],
    rows: RowsParts,
    join: Join,
    outputs: readonly Output[],
  ): CompiledEmbed {
    const column = (ref: ColumnRef) => {
      const { name } = ref;
      // As PostgREST, whose statement orders by what the select calls it.
      const output = ref.path === undefined ? outputs.find((each) => each.name === name) : undefined;
      const shown = output === undefined ? null : this.#shown(output);
      const { value, info } =
        shown === null
          ? comparable(this.#bindings, scope, ref)
          : { value: shown, info: { ...ANY_COLUMN, name, type: shown.type } };
      requireComparable(this.#bindings, value);
      const { sql } = this.#expressions.one({ ...rows, output: [{ name, value }] });
      return { sql, info: { ...info, nullable: true } };
    };
    const found = (this.#expressions.exists ?? exists)(sourceOf(base), rows);
    return { exists: found, column: join.toOne ? column : null };
  }

  /** The embedded table with the one in between, and how their columns pair with those around. */
  #joined(outer: Scope, scope: Scope, join: Join): { from: string; conditions: string[] } {
    const { dialect } = this.#bindings;
    const quoted = (alias: string | null, name: string): string =>
      `${alias === null ? '' : `${alias}.`}${dialect.quoteIdentifier(name)}`;
    if (join.call !== undefined) {
      const rows = `${this.#bindings.called(join.call)}(${outer.row()})`;
      return { from: `${rows} AS ${scope.alias}`, conditions: [] };
    }
    const table = `${dialect.qualifiedTable(scope.table)} AS ${scope.alias}`;
    this.#refuseWritten(scope.table);
    if (join.via === undefined) {
      const conditions = join.to.map((to, at) => `${scope.text(to)} = ${outer.text(join.from[at] ?? '')}`);
      return { from: table, conditions };
    }
    const between = findTable(this.#snapshot, join.via.schema, join.via.table);
    this.#refuseWritten(between);
    const alias = this.#bindings.alias();
    const { from, to } = join.via;
    return {
      from: `${dialect.qualifiedTable(between)} AS ${alias} JOIN ${table} ON ${to
        .map((name, at) => `${scope.text(join.to[at] ?? '')} = ${quoted(alias, name)}`)
        .join(' AND ')}`,
      conditions: from.map((name, at) => `${quoted(alias, name)} = ${outer.text(join.from[at] ?? '')}`),
    };
  }

  #refuseWritten(table: TableInfo): void {
    if (this.#written === null || this.#written.name !== table.name) return;
    throw this.#bindings.unsupported('embed a table in what a write of it returns');
  }
}
