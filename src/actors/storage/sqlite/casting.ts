import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { DatabaseError, MagError } from '../../../errors.ts';
import { floatText, numericText } from './number-text.ts';
import { INTERNAL_PREFIX } from './sqlite-schema.ts';
import { quoteText } from './sqlite-text.ts';

/**
 * What a value that is cast comes from: a column's declared type says more than how SQLite stores it. A number is a
 * decimal's, and says how many digits it has behind the point at least.
 */
export type CastSource = 'plain' | 'json' | number;

export type CastTarget = 'int2' | 'int4' | 'int8' | 'float4' | 'float8' | 'numeric' | 'text';

/** As PostgreSQL's messages name them. */
const SPOKEN: Readonly<Record<CastTarget, string>> = {
  ...{ int2: 'smallint', int4: 'integer', int8: 'bigint', numeric: 'numeric' },
  ...{ float4: 'real', float8: 'double precision', text: 'text' },
};

const BITS = { int2: 16, int4: 32, int8: 64 } as const;

/** Digits that a double keeps of any decimal. */
const EXACT_DIGITS = 15;

const SPACE = '[ \\t\\n\\v\\f\\r]*';
const INTEGER = new RegExp(`^${SPACE}([+-]?\\d+)${SPACE}$`);
const DECIMAL = new RegExp(`^${SPACE}([+-]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:e[+-]?\\d+)?)${SPACE}$`, 'i');
const INFINITE = new RegExp(`^${SPACE}(?:nan|[+-]?inf(?:inity)?)${SPACE}$`, 'i');

const invalid = (target: CastTarget, text: string): DatabaseError =>
  new DatabaseError('22P02', `invalid input syntax for type ${SPOKEN[target]}: "${text.slice(0, 60)}"`);

const outOfRange = (target: CastTarget, text?: string): DatabaseError =>
  new DatabaseError(
    '22003',
    text === undefined
      ? `${SPOKEN[target]} out of range`
      : `value "${text.slice(0, 60)}" is out of range for type ${SPOKEN[target]}`,
  );

const unsupported = (what: string): MagError =>
  new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'sqlite', what });

function withinBits(value: bigint, target: keyof typeof BITS, text?: string): bigint {
  if (BigInt.asIntN(BITS[target], value) !== value) throw outOfRange(target, text);
  return value;
}

/** PostgreSQL rounds the half of a float to the even neighbour, that of a numeric away from zero. */
function rounded(value: number, isDecimal: boolean): number {
  const away = Math.sign(value) * Math.round(Math.abs(value));
  const isHalf = Math.abs(value % 1) === 0.5;
  return isHalf && !isDecimal && away % 2 !== 0 ? away - Math.sign(value) : away;
}

function toInteger(target: keyof typeof BITS, value: number, isDecimal: boolean): bigint {
  if (!Number.isFinite(value)) throw outOfRange(target);
  return withinBits(BigInt(rounded(value, isDecimal)), target);
}

function integerOf(target: keyof typeof BITS, text: string): bigint {
  const digits = INTEGER.exec(text)?.[1];
  if (digits === undefined) throw invalid(target, text);
  // Past 20 digits only zeros in front would still fit.
  const short = digits.replace(/^([+-]?)0+(?=\d)/, '$1').replace(/^\+/, '');
  if (short.length > 20) throw outOfRange(target, text);
  return withinBits(BigInt(short), target, text);
}

/** `toPrecision` rounds a half up, PostgreSQL to the even digit. */
function toDigits(value: number, digits: number): number {
  const more = value.toPrecision(digits + 1);
  const even = /([02468]\.?)5(?=e|$)/;
  return Number(
    Number(more) === value && even.test(more)
      ? more.replace(even, (_, digit: string) => `${digit}0`)
      : value.toPrecision(digits),
  );
}

/** The double whose shortest text is the float's: what PostgreSQL writes of a float4. */
function shortFloat(value: number): number {
  const float = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = toDigits(float, digits);
    // One that is as near to the next float is not taken for this one: a little further it would be that.
    if (Math.fround(float + (short - float) * (1 + 2 ** -20)) === float) return short;
  }
  return Number(float.toPrecision(9));
}

function toFloat(target: 'float4' | 'float8', value: number, text: string, isZero: boolean): number {
  // SQLite's JSON has no word for what is no number or endless, and its sums take their words for 0.
  const result = target === 'float4' ? shortFloat(value) : value;
  if (!Number.isFinite(result) || (result === 0 && !isZero)) throw outOfRange(target, text);
  return result;
}

/** Throws MAG_ENGINE_UNSUPPORTED where SQLite has no number of so many digits. */
function numericOf(text: string): bigint | number {
  if (/^[+-]?\d{1,18}$/.test(text)) return BigInt(text.replace(/^\+/, ''));
  const digits = text.replace(/e.*$/i, '').replace(/[+-]|\./g, '');
  // Without `0+$`, which would look at every run of zeros from each of its zeros.
  const behind = digits.search(/[1-9]/);
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end -= 1;
  const significant = behind === -1 ? '' : digits.slice(behind, end);
  const value = Number(text);
  const isLost = significant.length > EXACT_DIGITS || (value === 0 && significant !== '');
  if (isLost || !Number.isFinite(value))
    throw unsupported(`cast a text of more than ${EXACT_DIGITS} digits to numeric`);
  return value;
}

const isZeroText = (decimal: string): boolean => !/[1-9]/.test(decimal.replace(/e.*$/i, ''));

function fromText(target: Exclude<CastTarget, 'text'>, text: string): bigint | number {
  if (target in BITS) return integerOf(target as keyof typeof BITS, text); // A key of it.
  if (INFINITE.test(text)) throw unsupported('cast to a number that is none, or infinite');
  const decimal = DECIMAL.exec(text)?.[1];
  if (decimal === undefined) throw invalid(target, text);
  if (target === 'numeric') return numericOf(decimal);
  // Of all the targets only these are left.
  return toFloat(target as 'float4' | 'float8', Number(decimal), text, isZeroText(decimal));
}

function fromNumber(
  target: Exclude<CastTarget, 'text'>,
  value: bigint | number,
  isDecimal: boolean,
): bigint | number {
  switch (target) {
    case 'int2':
    case 'int4':
    case 'int8':
      return typeof value === 'bigint' ? withinBits(value, target) : toInteger(target, value, isDecimal);
    case 'float4':
    case 'float8':
      return toFloat(target, Number(value), String(value), Number(value) === 0);
    default:
      if (typeof value === 'bigint' || isDecimal) return value;
      if (!Number.isFinite(value)) throw unsupported('cast to a number that is none, or infinite');
      return Number(value.toPrecision(EXACT_DIGITS));
  }
}

/** As jsonb is cast: a number is one, null is nothing, and the rest is refused. */
function fromJson(target: Exclude<CastTarget, 'text'>, text: string): bigint | number | null {
  if (text === 'null') return null;
  if (!DECIMAL.test(text)) {
    const kind = { '"': 'string', '{': 'object', '[': 'array' }[text[0] ?? ''] ?? 'boolean';
    throw new DatabaseError('22023', `cannot cast jsonb ${kind} to type ${SPOKEN[target]}`);
  }
  const isInteger = INTEGER.test(text);
  return target in BITS && !isInteger ? fromNumber(target, Number(text), true) : fromText(target, text);
}

/** SQLite keeps no zeros at the end, which a decimal of a scale has. */
function withScale(text: string, scale: number): string {
  const [whole = '', behind = ''] = text.split('.');
  return scale === 0 || !/^[-\d]/.test(text) ? text : `${whole}.${behind.padEnd(scale, '0')}`;
}

function toText(value: SQLOutputValue, source: CastSource): string | null {
  if (value === null || typeof value === 'string') return value;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (typeof source === 'number') return withScale(numericText(value), source);
  return typeof value === 'bigint' ? String(value) : floatText(value);
}

/** @param value with integers as BigInt. Throws 22P02, 22003, 22023, 42846 and MAG_ENGINE_UNSUPPORTED. */
export function castCell(
  target: CastTarget,
  value: SQLOutputValue,
  source: CastSource,
): bigint | number | string | null {
  if (value === null) return null;
  if (target === 'text') return toText(value, source);
  if (typeof value === 'string') return source === 'json' ? fromJson(target, value) : fromText(target, value);
  if (typeof value === 'bigint' || typeof value === 'number')
    return fromNumber(target, value, source !== 'plain');
  throw new DatabaseError('42846', `cannot cast type bytea to ${SPOKEN[target]}`);
}

const functionName = (target: CastTarget): string => `${INTERNAL_PREFIX}as_${target}`;

const TARGETS: readonly CastTarget[] = ['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text'];

/** What the authorizer is to let through; a tenant's own text cannot name them, for their prefix. */
export const CAST_FUNCTIONS: readonly string[] = TARGETS.map(functionName);

/** SQLite's own CAST makes 0 of a text that is no number, and cuts where PostgreSQL rounds. */
export const castText = (target: CastTarget, value: string, source: CastSource): string =>
  `${functionName(target)}(${value}, ${typeof source === 'number' ? source : quoteText(source)})`;

/** Makes the functions of `castText` known to a connection. */
export function registerCasts(database: DatabaseSync): void {
  // A schema that called one could not be read by any other program.
  const options = { useBigIntArguments: true, deterministic: true, directOnly: true };
  for (const target of TARGETS) {
    database.function(functionName(target), options, (value: SQLOutputValue, source: SQLOutputValue) =>
      // castText writes no others.
      castCell(target, value, typeof source === 'bigint' ? Number(source) : (source as CastSource)),
    );
  }
}
