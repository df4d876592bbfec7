import type { Change, ChangeColumn } from '../../protocol/change.ts';
import { encodeTextAround } from '../../protocol/phoenix-frame.ts';
import type { JsonValue, Row } from '../../protocol/query.ts';
import { wireText } from '../../protocol/realtime-wire.ts';
import type { ChangeGroup } from './change-group.ts';

/**
 * An array as PostgreSQL text, which clients decode by the column's type. Strings are always quoted and NULL is
 * lower case: PostgreSQL reads both, and clients that read the inside as JSON do too.
 */
export function arrayText(values: readonly JsonValue[]): string {
  const items = values.map((value) => (Array.isArray(value) ? arrayText(value) : JSON.stringify(value)));
  return `{${items.join(',')}}`;
}

function recordJson(row: Row, columns: readonly ChangeColumn[], select: readonly string[] | null): string {
  const shown: Record<string, JsonValue> = {};
  const types = new Map(columns.map((column) => [column.name, column.type]));
  for (const [name, value] of Object.entries(row)) {
    if (select !== null && !select.includes(name)) continue;
    const asText = Array.isArray(value) && types.get(name)?.startsWith('_') === true;
    // defineProperty: a column may be named __proto__.
    Object.defineProperty(shown, name, { value: asText ? arrayText(value) : value, enumerable: true });
  }
  return JSON.stringify(shown);
}

/** How one change is shown to somebody. */
export interface Showing {
  readonly type: Change['type'];
  readonly record: boolean;
  readonly old: boolean;
}

/** The `data` of a postgres_changes event, as JSON text. */
export function changeData(change: Change, showing: Showing, select: readonly string[] | null): string {
  const columns =
    select === null ? change.columns : change.columns.filter(({ name }) => select.includes(name));
  const parts = [
    `"type":"${showing.type}"`,
    `"schema":${JSON.stringify(change.schema)}`,
    `"table":${JSON.stringify(change.table)}`,
    `"commit_timestamp":${JSON.stringify(change.commitTimestamp)}`,
    `"columns":${JSON.stringify(columns.map(({ name, type }) => ({ name, type })))}`,
  ];
  if (showing.type === 'INSERT' || showing.type === 'UPDATE') {
    const shown = showing.record && change.record !== null ? change.record : {};
    parts.push(`"record":${recordJson(shown, change.columns, select)}`);
  }
  if (showing.type === 'UPDATE' || showing.type === 'DELETE') {
    const shown = showing.old && change.old !== null ? change.old : {};
    parts.push(`"old_record":${recordJson(shown, change.columns, select)}`);
  }
  return `{${parts.join(',')},"errors":null}`;
}

/** The whole frame for the channels of a group. */
export function changeFrame(
  group: ChangeGroup,
  ids: readonly number[],
  data: string,
  position: { readonly epoch: string; readonly offset: number },
): Buffer {
  const head = { joinRef: null, ref: null, topic: group.fullTopic, event: 'postgres_changes' };
  const where = group.positions
    ? `,"epoch":${JSON.stringify(position.epoch)},"offset":${position.offset}`
    : '';
  return wireText(encodeTextAround(group.vsn, head, `{"ids":[${ids.join(',')}],"data":${data}${where}}`));
}
