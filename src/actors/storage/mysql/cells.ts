import type { DriverField } from './driver.ts';

/** Values of a native result as JSON text, by type: as PostgreSQL's reply would have them. */

const BINARY = 63;
const TIMESTAMP = 7;
const DATETIME = 12;
const TIME = 11;
const BIT = 16;
const FLOAT = 4;

/** Names of the protocol's types; texts and their binary brothers share a number. */
const NAMES: Readonly<Record<number, string>> = {
  ...{ 0: 'decimal', 1: 'tinyint', 2: 'smallint', 3: 'int', 4: 'float', 5: 'double', 6: 'null' },
  ...{ 7: 'timestamp', 8: 'bigint', 9: 'mediumint', 10: 'date', 11: 'time', 12: 'datetime', 13: 'year' },
  ...{ 15: 'varchar', 16: 'bit', 245: 'json', 246: 'decimal', 247: 'enum', 248: 'set' },
  ...{ 249: 'text', 250: 'text', 251: 'text', 252: 'text', 253: 'varchar', 254: 'char', 255: 'geometry' },
};

const BINARY_NAMES: Readonly<Record<string, string>> = { text: 'blob', varchar: 'varbinary', char: 'binary' };

const isJson = (field: DriverField): boolean => field.columnType === 245 || field.extendedFormat === 'json';

export function typeName(field: DriverField): string {
  if (isJson(field)) return 'json';
  if (field.extendedTypeName !== undefined && field.extendedTypeName !== '') return field.extendedTypeName;
  const name = NAMES[field.columnType] ?? 'unknown';
  return field.characterSet === BINARY ? (BINARY_NAMES[name] ?? name) : name;
}

type Encode = (value: unknown) => string;

/** Numbers come as numbers, or as text where a number would not hold them. */
const number: Encode = (value) => (/^-?\d/.test(String(value)) ? String(value) : JSON.stringify(value));

/** The shortest text that is this single-precision number. */
const float: Encode = (value) => {
  if (typeof value !== 'number') return number(value);
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return String(short);
  }
  return String(value);
};

const trimmed = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

const moment =
  (zone: string): Encode =>
  (value) =>
    typeof value === 'string' ? `"${trimmed(value).replace(' ', 'T')}${zone}"` : JSON.stringify(value);

const time: Encode = (value) => JSON.stringify(typeof value === 'string' ? trimmed(value) : value);

const text: Encode = (value) =>
  Buffer.isBuffer(value) ? `"\\\\x${value.toString('hex')}"` : JSON.stringify(value);

/** What MariaDB calls JSON is text that a tenant may have written. */
const json: Encode = (value) => {
  if (typeof value !== 'string') return JSON.stringify(value);
  try {
    JSON.parse(value);
    return value;
  } catch {
    return JSON.stringify(value);
  }
};

const bits = (length: number): Encode => {
  const asNumber = (value: unknown): bigint =>
    Buffer.isBuffer(value) ? BigInt(`0x${value.toString('hex') || '0'}`) : BigInt(Number(value));
  return length === 1
    ? (value) => (asNumber(value) === 0n ? 'false' : 'true')
    : (value) => String(asNumber(value));
};

const boolean: Encode = (value) => (Number(value) === 0 ? 'false' : 'true');

/** A display width of one is what makes a TINYINT a BOOLEAN. */
const isBoolean = ({ columnType, columnLength }: DriverField): boolean =>
  columnType === 1 && columnLength === 1;

/** How values of a field are written as JSON; NULL is never among them. */
export function encoderOf(field: DriverField): Encode {
  if (isJson(field)) return json;
  if (isBoolean(field)) return boolean;
  switch (field.columnType) {
    case TIMESTAMP:
      return moment('+00:00');
    case DATETIME:
      return moment('');
    case TIME:
      return time;
    case BIT:
      return bits(field.columnLength);
    case FLOAT:
      return float;
    default:
      return [0, 1, 2, 3, 5, 8, 9, 13, 246].includes(field.columnType) ? number : text;
  }
}
