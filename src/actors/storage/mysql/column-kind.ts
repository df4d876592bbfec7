/** What values of a column are, as far as binding them and writing them as JSON goes. */
export type ColumnKind =
  | 'boolean'
  | 'integer'
  | 'unsigned'
  | 'bit'
  | 'decimal'
  | 'double'
  | 'text'
  | 'bytes'
  | 'json'
  | 'date'
  | 'datetime'
  | 'timestamp'
  | 'time'
  | 'geometry'
  | 'other';

const KINDS: Readonly<Record<string, ColumnKind>> = {
  ...{ tinyint: 'integer', smallint: 'integer', mediumint: 'integer', int: 'integer', year: 'integer' },
  ...{ bigint: 'integer', bit: 'bit', decimal: 'decimal', float: 'double', double: 'double' },
  ...{ char: 'text', varchar: 'text', tinytext: 'text', text: 'text', mediumtext: 'text', longtext: 'text' },
  ...{ enum: 'text', set: 'text', json: 'json', date: 'date', time: 'time' },
  ...{ datetime: 'datetime', timestamp: 'timestamp' },
  ...{ binary: 'bytes', varbinary: 'bytes', tinyblob: 'bytes', blob: 'bytes' },
  ...{ mediumblob: 'bytes', longblob: 'bytes' },
  ...{ geometry: 'geometry', point: 'geometry', linestring: 'geometry', polygon: 'geometry' },
  ...{ multipoint: 'geometry', multilinestring: 'geometry', multipolygon: 'geometry' },
  geometrycollection: 'geometry',
};

/** By the column's type as information_schema writes it: `int(11) unsigned`, `tinyint(1)`, `datetime(3)`. */
export function columnKind(type: string): ColumnKind {
  // What BOOLEAN is another word for, and the smallest of the types made for it.
  if (type.startsWith('tinyint(1)') || type === 'bit(1)') return 'boolean';
  if (type.startsWith('bigint') && type.includes('unsigned')) return 'unsigned';
  return KINDS[/^[a-z]+/.exec(type)?.[0] ?? ''] ?? 'other';
}
