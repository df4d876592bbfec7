import { type Comparison, compareText } from './compare-scalars.ts';

/** A date, perhaps a time, perhaps a zone: what PostgreSQL writes, and what clients send. */
const TIMESTAMP = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/** Digits of a second's fraction beyond milliseconds, which Date drops. */
function finerDigits(text: string): string {
  const dot = text.lastIndexOf('.');
  if (dot === -1) return '';
  let end = dot + 1;
  while (end < text.length && text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end += 1;
  let stop = end;
  while (stop > dot + 4 && text.charCodeAt(stop - 1) === 48) stop -= 1;
  return text.slice(dot + 4, Math.max(stop, dot + 4));
}

/** Milliseconds since the epoch; NaN where the text is no such time. Without a zone it is UTC, the board's sessions' own. */
function instant(text: string, type: string): number {
  const [, date, time, zone] = TIMESTAMP.exec(text.trim()) ?? [];
  if (date === undefined) return Number.NaN;
  // A timestamp without time zone does not look at a zone, a date not even at the time.
  if (time === undefined || type === 'date') return Date.parse(`${date}T00:00:00Z`);
  if (zone === undefined || type !== 'timestamptz') return Date.parse(`${date}T${time}Z`);
  return Date.parse(`${date}T${time}${/^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone.toUpperCase()}`);
}

/** Two texts as PostgreSQL's date, timestamp or timestamptz. */
export function compareTime(left: string, right: string, type: string): Comparison {
  const difference = instant(left, type) - instant(right, type);
  if (Number.isNaN(difference)) return null;
  if (difference !== 0 || type === 'date') return difference;
  return compareText(finerDigits(left), finerDigits(right));
}
