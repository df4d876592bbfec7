import { DatabaseError } from '../../../errors.ts';

/** A date, perhaps a time, perhaps a zone: what PostgreSQL takes, and what clients send. */
const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;
const TIME = /^(-?\d{1,3}):(\d\d)(?::(\d\d)(?:\.(\d+))?)?$/;

const invalid = (type: string, text: string): DatabaseError =>
  new DatabaseError('22007', `invalid input syntax for type ${type}: "${text}"`);

const MS_PER_MINUTE = 60_000;

/** Minutes that `+02:00` is ahead of UTC. */
function zoneMinutes(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0;
  const digits = zone.slice(1).replace(':', '');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || '0');
  return zone.startsWith('-') ? -minutes : minutes;
}

/**
 * Text of a date, datetime or timestamp as MySQL reads it, which knows no zone: a timestamp is given in UTC, the time of
 * our sessions; the others do not look at a zone, as in PostgreSQL. Throws 22007.
 */
export function momentText(text: string, type: 'date' | 'datetime' | 'timestamp'): string {
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone] =
    DATE_TIME.exec(text.trim()) ?? [];
  if (year === undefined) throw invalid(type, text);
  const time = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const wall = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  // Date.UTC would make a 2nd of March of the 30th of February. (And of the year 50, 1950.)
  if (Number(year) >= 100 && new Date(time).toISOString() !== wall) throw invalid(type, text);
  if (type === 'date') return `${year}-${month}-${day}`;
  const shift = type === 'timestamp' && zone !== undefined ? zoneMinutes(zone) : 0;
  const moment =
    shift === 0
      ? `${year}-${month}-${day} ${hour}:${minute}:${second}`
      : new Date(time - shift * MS_PER_MINUTE).toISOString().slice(0, 19).replace('T', ' ');
  return fraction === '' ? moment : `${moment}.${fraction.slice(0, 6)}`;
}

/** Text of a time of day. Throws 22007. */
export function timeOfDay(text: string): string {
  const trimmed = text.trim();
  if (!TIME.test(trimmed)) throw invalid('time', text);
  return trimmed;
}
