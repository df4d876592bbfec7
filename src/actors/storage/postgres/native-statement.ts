import { LIMITS } from '../../../limits.ts';
import type { SqlField } from '../engine.ts';
import { encoderOf, TYPE_NAMES } from './cells.ts';
import { type CommandComplete, type DataRow, type RowDescription, type Wire, WireStatement } from './wire.ts';

const DDL = /^(CREATE|ALTER|DROP|GRANT|REVOKE|IMPORT|REFRESH|DO|CALL|SELECT INTO)/;

interface Column {
  readonly key: string;
  readonly type: number;
  readonly encode: (text: string) => string;
}

/**
 * A tenant's own SQL: with parameters one statement, without any number of them; the last one's result is the reply.
 * Rows become JSON as they arrive and are bounded by number and size.
 */
export class NativeStatement extends WireStatement {
  /** Told once when the statement must not go on. */
  onRefused: () => void = () => {};
  refused: 'too_large' | 'copy' | null = null;
  command = '';
  rowCount = 0;
  /** Whether one of the statements may have changed the schema. */
  changedSchema = false;
  /** Unknown types of the last result, to be looked up before `fields`. */
  unknownTypes: readonly number[] = [];
  #columns: readonly Column[] = [];
  #names: readonly string[] = [];
  #rows: string[] = [];
  #bytes = 0;
  #described = false;

  override submit(wire: Wire): null {
    if (this.values.length > 0) return this.extended(wire, true);
    wire.query(this.text);
    return null;
  }

  override handleRowDescription({ fields }: RowDescription): void {
    this.#described = true;
    this.#reset();
    this.#names = fields.map((field) => field.name);
    this.#columns = fields.map(({ name, dataTypeID }) => ({
      key: JSON.stringify(name),
      type: dataTypeID,
      encode: encoderOf(TYPE_NAMES.get(dataTypeID) ?? ''),
    }));
    this.unknownTypes = fields.map((field) => field.dataTypeID).filter((oid) => !TYPE_NAMES.has(oid));
  }

  override handleDataRow({ fields }: DataRow): void {
    if (this.refused !== null) return;
    let row = '';
    for (let at = 0; at < fields.length; at += 1) {
      const column = this.#columns[at];
      const text = fields[at];
      if (column === undefined) continue;
      row += `${at === 0 ? '' : ','}${column.key}:${typeof text === 'string' ? column.encode(text) : 'null'}`;
    }
    this.#bytes += row.length + 3;
    this.#rows.push(`{${row}}`);
    if (this.#rows.length > LIMITS.maxRows || this.#bytes > LIMITS.resultBytes) this.#refuse('too_large');
  }

  override handleCommandComplete({ text }: CommandComplete): void {
    if (!this.#described) this.#reset();
    this.#described = false;
    // `INSERT 0 3`, `SELECT 20`, `CREATE TABLE`: the last number counts rows, the one before it is a relic.
    this.command = text.replace(/( \d+)+$/, '');
    this.rowCount = Number(/ (\d+)$/.exec(text)?.[1] ?? 0);
    if (DDL.test(text)) this.changedSchema = true;
  }

  override handleCopyData(): void {
    this.#refuse('copy');
  }

  override handleCopyInResponse(wire: Wire): void {
    this.refused = 'copy';
    super.handleCopyInResponse(wire);
  }

  fields(typeName: (oid: number) => string): readonly SqlField[] {
    return this.#names.map((name, at) => ({ name, type: typeName(this.#columns[at]?.type ?? 0) }));
  }

  /** The rows as a JSON array. */
  get rows(): string {
    return `[${this.#rows.join(',')}]`;
  }

  #reset(): void {
    this.#columns = [];
    this.#names = [];
    this.unknownTypes = [];
    this.#rows = [];
    this.#bytes = 0;
  }

  #refuse(why: 'too_large' | 'copy'): void {
    if (this.refused !== null) return;
    this.refused = why;
    this.#rows = [];
    this.onRefused();
  }
}
