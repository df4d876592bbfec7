import type { Change, ChangeColumn } from '../../../protocol/change.ts';
import type { JsonValue, Row } from '../../../protocol/query.ts';
import { decodeCell, isoMicroseconds } from './cells.ts';
import type { NewChange } from './feed-file.ts';
import type { Lsn, PgOutputMessage, RelationColumn, Tuple } from './pgoutput.ts';

interface Relation {
  readonly schema: string;
  readonly table: string;
  readonly keys: readonly RelationColumn[];
  /** The same object until the relation changes, so that its identity stands for its content. */
  readonly columns: readonly ChangeColumn[];
}

/** What a replication message means for the log. */
export type SourceEvent =
  | { readonly kind: 'begin'; readonly commitLsn: Lsn }
  /** `size` is that of the message, in bytes. */
  | { readonly kind: 'change'; readonly change: NewChange; readonly size: number }
  | { readonly kind: 'commit'; readonly endLsn: Lsn };

/** The publication is for all tables, also those that the board keeps to itself. */
const isInternal = ({ schema }: Relation): boolean => schema.startsWith('_mag');

/**
 * Turns pgoutput's messages into changes. It remembers the relations and types that the stream announced, so it lives
 * exactly as long as one stream.
 */
export class ChangeDecoder {
  readonly #types: Map<number, string>;
  readonly #relations = new Map<number, Relation>();
  #commitTimestamp = '';

  /** `builtinTypes`: names by oid of the types that the stream does not announce. */
  constructor(builtinTypes: ReadonlyMap<number, string>) {
    this.#types = new Map(builtinTypes);
  }

  /** Throws RangeError for a message that refers to what was never announced. */
  decode(message: PgOutputMessage, size: number): readonly SourceEvent[] {
    switch (message.kind) {
      case 'begin':
        this.#commitTimestamp = isoMicroseconds(message.commitTime);
        return [{ kind: 'begin', commitLsn: message.commitLsn }];
      case 'commit':
        return [{ kind: 'commit', endLsn: message.endLsn }];
      case 'type':
        this.#types.set(message.oid, message.name);
        return [];
      case 'relation':
        this.#relations.set(message.id, {
          schema: message.schema,
          table: message.table,
          keys: message.columns,
          columns: message.columns.map(({ name, typeOid }) => ({
            name,
            type: this.#types.get(typeOid) ?? 'text',
          })),
        });
        return [];
      case 'insert':
      case 'update':
      case 'delete':
        if (isInternal(this.#relation(message.relation))) return [];
        return [{ kind: 'change', size, change: this.#rowChange(message) }];
      case 'truncate':
        return message.relations
          .map((id) => this.#relation(id))
          .filter((relation) => !isInternal(relation))
          .map((relation) => ({
            kind: 'change',
            size,
            change: this.#change('TRUNCATE', relation, null, null),
          }));
      default:
        return [];
    }
  }

  #rowChange(message: Extract<PgOutputMessage, { kind: 'insert' | 'update' | 'delete' }>): NewChange {
    const relation = this.#relation(message.relation);
    if (message.kind === 'insert') {
      return this.#change('INSERT', relation, toRow(relation, message.row, null), null);
    }
    const old = message.old === null ? null : toRow(relation, message.old, null, message.oldIsKey);
    if (message.kind === 'delete') return this.#change('DELETE', relation, null, old);
    return this.#change('UPDATE', relation, toRow(relation, message.row, old), old);
  }

  #change(type: Change['type'], relation: Relation, record: Row | null, old: Row | null): NewChange {
    const { schema, table, columns } = relation;
    return { type, schema, table, commitTimestamp: this.#commitTimestamp, columns, record, old };
  }

  #relation(id: number): Relation {
    const relation = this.#relations.get(id);
    if (relation === undefined) throw new RangeError(`a change of relation ${id}, which was never announced`);
    return relation;
  }
}

/** A value that was not sent (an unchanged TOAST value) is the old row's. */
function toRow(relation: Relation, tuple: Tuple, old: Row | null, keyOnly = false): Row {
  const row: Record<string, JsonValue> = {};
  relation.columns.forEach(({ name, type }, place) => {
    if (keyOnly && relation.keys[place]?.key !== true) return;
    const text = tuple[place];
    if (text === undefined) {
      const before = old?.[name];
      if (before !== undefined) row[name] = before;
    } else {
      row[name] = text === null ? null : decodeCell(type, text);
    }
  });
  return row;
}
