/** Text of PostgreSQL values as JSON text, by type: what row_to_json would make of them. */

/** Names of the built-in types that results are made of most; others are looked up. */
export const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  ...([
    [16, 'bool'],
    [17, 'bytea'],
    [18, 'char'],
    [19, 'name'],
    [20, 'int8'],
    [21, 'int2'],
    [23, 'int4'],
  ] as const),
  ...([
    [25, 'text'],
    [26, 'oid'],
    [114, 'json'],
    [700, 'float4'],
    [701, 'float8'],
    [705, 'unknown'],
  ] as const),
  ...([
    [1042, 'bpchar'],
    [1043, 'varchar'],
    [1082, 'date'],
    [1083, 'time'],
    [1114, 'timestamp'],
  ] as const),
  ...([
    [1184, 'timestamptz'],
    [1186, 'interval'],
    [1266, 'timetz'],
    [1700, 'numeric'],
    [2205, 'regclass'],
  ] as const),
  ...([
    [2278, 'void'],
    [2950, 'uuid'],
    [3802, 'jsonb'],
    [199, '_json'],
    [1000, '_bool'],
    [1005, '_int2'],
  ] as const),
  ...([
    [1007, '_int4'],
    [1009, '_text'],
    [1015, '_varchar'],
    [1016, '_int8'],
    [1021, '_float4'],
  ] as const),
  ...([
    [1022, '_float8'],
    [1115, '_timestamp'],
    [1182, '_date'],
    [1185, '_timestamptz'],
  ] as const),
  ...([
    [1231, '_numeric'],
    [2951, '_uuid'],
    [3807, '_jsonb'],
  ] as const),
]);

type Encode = (text: string) => string;

/** NaN and the infinities are no JSON numbers. */
const number: Encode = (text) => (/^-?\d/.test(text) ? text : JSON.stringify(text));
const boolean: Encode = (text) => (text === 't' ? 'true' : 'false');
const raw: Encode = (text) => text;
const string: Encode = (text) => JSON.stringify(text);

/** ISO 8601 with T and a whole offset; other date styles, BC and infinity stay as they are. */
const timestamp: Encode = (text) => {
  const parts = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d)*)?$/.exec(text);
  if (parts === null) return JSON.stringify(text);
  const [, day, time, offset = ''] = parts;
  return `"${day}T${time}${offset.length === 3 ? `${offset}:00` : offset}"`;
};

const ENCODERS: Readonly<Record<string, Encode>> = {
  ...{
    int2: number,
    int4: number,
    int8: number,
    float4: number,
    float8: number,
    numeric: number,
    oid: number,
  },
  ...{ bool: boolean, json: raw, jsonb: raw, timestamp, timestamptz: timestamp },
};

/** How values of a type are written as JSON. `name` is pg_type's, `_int4` an array of int4. */
export function encoderOf(name: string): Encode {
  if (!name.startsWith('_')) return ENCODERS[name] ?? string;
  const element = ENCODERS[name.slice(1)] ?? string;
  return (text) => arrayJson(text, element);
}

/** What is JSON once its braces are brackets: integers and fractions. */
const PLAIN_NUMBERS = /^[-+.e\d,{}]*$/;

/**
 * PostgreSQL's array text `{1,NULL,"a b",{…}}` as JSON; bounds in front (`[0:2]={…}`) leave it a string. One array may be
 * nearly as large as a whole result, and is written in one go: numbers and long items not by their characters.
 */
export function arrayJson(text: string, element: Encode): string {
  if (!text.startsWith('{')) return JSON.stringify(text);
  if (element === number && PLAIN_NUMBERS.test(text)) return text.replaceAll('{', '[').replaceAll('}', ']');
  let at = 0;
  const quotedItem = (): string => {
    const whole = text.slice(at + 1, text.indexOf('"', at + 1));
    if (!whole.includes('\\')) {
      at += whole.length + 2;
      return element(whole);
    }
    let item = '';
    for (at += 1; at < text.length && text[at] !== '"'; at += 1) {
      if (text[at] === '\\') at += 1;
      item += text[at] ?? '';
    }
    at += 1;
    return element(item);
  };
  const bareItem = (): string => {
    const from = at;
    while (at < text.length && text[at] !== ',' && text[at] !== '}') at += 1;
    const item = text.slice(from, at);
    return item === 'NULL' ? 'null' : element(item);
  };
  const array = (): string => {
    const items: string[] = [];
    at += 1;
    while (at < text.length && text[at] !== '}') {
      if (text[at] === ',') at += 1;
      else if (text[at] === '{') items.push(array());
      else items.push(text[at] === '"' ? quotedItem() : bareItem());
    }
    at += 1;
    return `[${items.join(',')}]`;
  };
  return array();
}
