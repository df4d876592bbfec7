import { createHash } from 'node:crypto';
import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { FeedPosition } from './change.ts';
import type { Filter, JsonValue } from './query.ts';
import { fieldsOf } from './realtime-fields.ts';
import { filterColumns, parseChangeFilter } from './realtime-filter.ts';

/** What a client asks for when it joins a channel, parsed once at the door. */
const OVERFLOWS = ['park', 'latest', 'drop_oldest', 'disconnect'] as const;
type CreditOverflow = (typeof OVERFLOWS)[number];

type BindingEvent = '*' | 'INSERT' | 'UPDATE' | 'DELETE';

/** One postgres_changes subscription of a channel. */
export interface Binding {
  /** The same for equal bindings, so that channels which ask alike share one frame. */
  readonly id: number;
  readonly event: BindingEvent;
  /** `*` for every schema. */
  readonly schema: string;
  /** `*` for every table. */
  readonly table: string;
  readonly filter: Filter | null;
  /** Columns the filter reads. */
  readonly filterColumns: readonly string[];
  /** Columns to deliver; null for all. */
  readonly select: readonly string[] | null;
  /** What goes back in the join reply: the client compares it with what it sent. */
  readonly echo: { readonly [key: string]: JsonValue };
}

/** Our own part of the join config: positions on every change, resume, and credit. */
export interface Extension {
  readonly resume: FeedPosition | null;
  /** Changes the client takes before it grants more; null without limit. */
  readonly credit: number | null;
  readonly overflow: CreditOverflow;
}

export interface JoinConfig {
  readonly self: boolean;
  readonly ack: boolean;
  readonly presenceKey: string;
  readonly presence: boolean;
  readonly isPrivate: boolean;
  readonly bindings: readonly Binding[];
  /** Characters of the bindings as JSON. */
  readonly bindingBytes: number;
  readonly extension: Extension | null;
  readonly accessToken: string | null;
}

const invalid = (problem: string): MagError => new MagError('MAG_BAD_REQUEST', { problem });

function textOf(value: unknown, name: string, otherwise: string): string {
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== 'string') throw invalid(`${name} is not a string`);
  return value;
}

const BINDING_EVENTS: ReadonlySet<string> = new Set(['*', 'INSERT', 'UPDATE', 'DELETE']);
const isBindingEvent = (event: string): event is BindingEvent => BINDING_EVENTS.has(event);

/** 48 bits of a digest: never 0, since clients take 0 for "no id". */
function bindingId(parts: readonly unknown[]): number {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  return digest.readUIntBE(0, 6) || 1;
}

function selectOf(value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value) || value.length > LIMITS.selectItems)
    throw invalid('select is no list of columns');
  return value.map((column) => textOf(column, 'a column of select', ''));
}

function bindingOf(value: unknown): Binding {
  const fields = fieldsOf(value);
  const event = textOf(fields.event, 'event', '*').toUpperCase();
  if (!isBindingEvent(event)) throw invalid(`the event ${event} is none of *, INSERT, UPDATE, DELETE`);
  const schema = textOf(fields.schema, 'schema', 'public');
  const table = textOf(fields.table, 'table', '*');
  const filterText = textOf(fields.filter, 'filter', '');
  const filter = parseChangeFilter(filterText);
  if (filter !== null && table === '*') throw invalid('a filter needs a table');
  const select = selectOf(fields.select);
  const echo: Record<string, JsonValue> = {};
  for (const name of ['event', 'schema', 'table', 'filter', 'select']) {
    const value = fields[name];
    if (value !== undefined) echo[name] = value;
  }
  return {
    id: bindingId([event, schema, table, filterText, select]),
    event,
    schema,
    table,
    filter,
    filterColumns: filter === null ? [] : filterColumns(filter),
    select,
    echo,
  };
}

function bindingsOf(value: unknown): readonly Binding[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid('postgres_changes is no list');
  if (value.length > LIMITS.bindingsPerChannel) {
    throw new MagError('MAG_CHANNEL_LIMIT', {
      limit: LIMITS.bindingsPerChannel,
      what: 'bindings on a channel',
    });
  }
  return value.map(bindingOf);
}

function resumeOf(value: unknown): FeedPosition | null {
  if (value === undefined || value === null) return null;
  const { epoch, offset } = fieldsOf(value);
  if (
    typeof epoch !== 'string' ||
    typeof offset !== 'number' ||
    !Number.isSafeInteger(offset) ||
    offset < 0
  ) {
    throw invalid('resume is not {epoch, offset}');
  }
  return { epoch, offset };
}

/** Credit as a client grants it. Throws MAG_BAD_REQUEST. */
export function creditOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > LIMITS.creditMax) {
    throw invalid(`credit is not a whole number up to ${LIMITS.creditMax}`);
  }
  return value;
}

function extensionOf(value: unknown): Extension | null {
  if (value === undefined || value === null) return null;
  const fields = fieldsOf(value);
  const overflow = fields.overflow ?? 'park';
  const known = OVERFLOWS.find((name) => name === overflow);
  if (known === undefined) throw invalid(`overflow is none of ${OVERFLOWS.join(', ')}`);
  const credit = fields.credit;
  return {
    resume: resumeOf(fields.resume),
    credit: credit === undefined || credit === null ? null : creditOf(credit),
    overflow: known,
  };
}

/** The token of a join or an access_token event; null where there is none. Throws MAG_BAD_REQUEST. */
export function accessTokenOf(payload: unknown): string | null {
  const token = textOf(fieldsOf(payload).access_token, 'access_token', '');
  return token === '' ? null : token;
}

/** Parses the payload of phx_join. Throws MAG_BAD_REQUEST, MAG_FILTER_INVALID or MAG_CHANNEL_LIMIT. */
export function parseJoin(payload: unknown): JoinConfig {
  const config = fieldsOf(fieldsOf(payload).config);
  const broadcast = fieldsOf(config.broadcast);
  const presence = fieldsOf(config.presence);
  const presenceKey = textOf(presence.key, 'presence.key', '');
  const bindings = bindingsOf(config.postgres_changes);
  if (Buffer.byteLength(presenceKey) > LIMITS.topicBytes) throw invalid('presence.key is too long');
  return {
    self: broadcast.self === true,
    ack: broadcast.ack === true,
    presenceKey,
    // Clients before the flag existed expect presence wherever they name it.
    presence: config.presence !== undefined && presence.enabled !== false,
    isPrivate: config.private === true,
    bindings,
    bindingBytes: bindings.length === 0 ? 0 : JSON.stringify(bindings.map(({ echo }) => echo)).length,
    extension: extensionOf(config.magmobo),
    accessToken: accessTokenOf(payload),
  };
}
