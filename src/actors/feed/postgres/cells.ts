import type { JsonValue } from '../../../protocol/query.ts';

/**
 * A value's text, as PostgreSQL's output function wrote it (DateStyle ISO, UTC, bytea in hex), as JSON: what
 * PostgREST shows for the same cell, except that arrays stay PostgreSQL text, which is what realtime clients decode,
 * and that a number which JavaScript cannot hold exactly stays text.
 */
export function decodeCell(type: string, text: string): JsonValue {
  switch (type) {
    case 'int2':
    case 'int4':
    case 'oid':
    case 'float4':
    case 'float8':
      return finite(text);
    case 'int8':
    case 'numeric':
      return exact(text);
    case 'bool':
      return text === 't';
    case 'json':
    case 'jsonb':
      return JSON.parse(text);
    case 'timestamp':
      return text.replace(' ', 'T');
    case 'timestamptz':
      return text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00');
    case 'timetz':
      return text.replace(/([+-]\d\d)$/, '$1:00');
    default:
      return text;
  }
}

/** NaN and the infinities are text in PostgreSQL's JSON too. */
function finite(text: string): JsonValue {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}

const SIGNIFICANT = 15;

function exact(text: string): JsonValue {
  // Up to 15 significant digits every decimal survives the way through a double and back.
  if (text.length <= SIGNIFICANT) return finite(text);
  const value = Number(text);
  return Number.isSafeInteger(value) && String(value) === text ? value : text;
}

/** Microseconds since the Unix epoch as ISO 8601, UTC, with microseconds. */
export function isoMicroseconds(time: bigint): string {
  const milliseconds = Number(time / 1000n);
  const rest = String(time % 1000n).padStart(3, '0');
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${rest}Z`;
}
