import { type Bag, bag, bags, isBag, Unsupported } from './bag.ts';

/** Databases that a file has collections in. */
function databasesOf(file: Bag): ReadonlySet<string> {
  const declared = bags(file['createEntities']).map((each) => bag(each['database'])['databaseName']);
  const filled = bags(file['initialData']).map(({ databaseName }) => databaseName);
  const names = [...declared, ...filled].filter((name) => name !== undefined).map(String);
  return new Set(names.filter((name) => name !== 'admin'));
}

function renamed(value: unknown, from: string, to: string): unknown {
  if (value === from) return to;
  if (typeof value === 'string') return value.startsWith(`${from}.`) ? to + value.slice(from.length) : value;
  if (Array.isArray(value)) return value.map((each) => renamed(each, from, to));
  const isDocument = isBag(value) && Object.getPrototypeOf(value) === Object.prototype;
  if (!isDocument) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, renamed(each, from, to)]));
}

/** A file that calls its one database by this name: a project's user has that database and no other. */
export function inDatabase(file: Bag, database: string): Bag {
  const [name, ...others] = databasesOf(file);
  if (others.length > 0) throw new Unsupported('several databases');
  return name === undefined ? file : bag(renamed(file, name, database));
}
