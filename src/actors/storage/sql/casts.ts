/** PostgreSQL's types whose name is more than one word, or no name of the catalogue's. */
const SPOKEN: Readonly<Record<string, string>> = {
  ...{ int: 'int4', integer: 'int4', smallint: 'int2', bigint: 'int8', real: 'float4', float: 'float8' },
  ...{
    'double precision': 'float8',
    decimal: 'numeric',
    boolean: 'bool',
    char: 'bpchar',
    character: 'bpchar',
  },
  ...{ 'character varying': 'varchar', 'bit varying': 'varbit', dec: 'numeric' },
  ...{ 'timestamp with time zone': 'timestamptz', 'timestamp without time zone': 'timestamp' },
  ...{ 'time with time zone': 'timetz', 'time without time zone': 'time' },
};

/** The name of a type in parts: `public.mood[]`. */
export interface TypeName {
  /** Of one of its own; null: where the search path finds it. */
  readonly schema: string | null;
  readonly name: string;
  /** How many dimensions of an array. */
  readonly dimensions: number;
}

/** Reads the name of a type as SQL would, case folded; null where it is none. */
export function parseType(text: string): TypeName | null {
  const trimmed = text.trim().toLowerCase();
  const name = trimmed.replace(/(?:\[\])+$/, '');
  const dimensions = (trimmed.length - name.length) / 2;
  const spoken = Object.hasOwn(SPOKEN, name) ? SPOKEN[name] : undefined;
  if (spoken !== undefined) return { schema: null, name: spoken, dimensions };
  const words = name.split('.');
  if (words.length > 2 || !words.every((word) => /^[\p{L}_][\p{L}\p{N}_$]*$/u.test(word))) return null;
  const [first = '', second] = words;
  return second === undefined
    ? { schema: null, name: first, dimensions }
    : { schema: first, name: second, dimensions };
}
