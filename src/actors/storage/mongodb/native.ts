import { type Document, EJSON } from 'bson';
import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { JsonValue } from '../../../protocol/query.ts';
import { isPlainDocument, tagOf } from '../documents/bson-value.ts';
import { isReserved, RECORDS } from './names.ts';
import { eachDocument } from './reading.ts';
import type { Commands } from './session.ts';

/** Commands that a project may run on its own database. What watches, administers or needs a session is not here. */
const ALLOWED = new Set([
  ...['find', 'aggregate', 'count', 'distinct', 'insert', 'update', 'delete', 'findAndModify'],
  ...[
    'create',
    'drop',
    'createIndexes',
    'dropIndexes',
    'listIndexes',
    'listCollections',
    'ping',
    'buildInfo',
  ],
]);

/** Members of a command that are the driver's and the board's own. */
const RESERVED = new Set([
  'lsid',
  'txnNumber',
  'autocommit',
  'startTransaction',
  'maxTimeMS',
  'stmtId',
  'stmtIds',
]);

const forbidden = (why: string): MagError => new MagError('MAG_STATEMENT_FORBIDDEN', { why });

function readCommand(command: JsonValue): Document {
  if (typeof command !== 'object' || command === null || Array.isArray(command))
    throw new MagError('MAG_BAD_REQUEST', {
      problem: 'command must be an object such as {"count": "todos"}',
    });
  const [name = ''] = Object.keys(command);
  if (!ALLOWED.has(name))
    throw forbidden(`the command ${name.slice(0, 40)} is not among ${[...ALLOWED].join(', ')}`);
  const target: unknown = Reflect.get(command, name);
  if (typeof target === 'string' && isReserved(target))
    throw forbidden(`the collection ${target.slice(0, 40)} is the board's`);
  for (const member of Object.keys(command))
    if (RESERVED.has(member) || member.startsWith('$'))
      throw forbidden(`${member.slice(0, 40)} is set by the board`);
  // Stages of a pipeline name collections anywhere in it.
  if (JSON.stringify(command).includes(RECORDS)) throw forbidden(`the collection ${RECORDS} is the board's`);
  try {
    return EJSON.deserialize(command as Document); // an object, as looked at above
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : 'malformed';
    throw new MagError('MAG_BAD_REQUEST', { problem: `command is no Extended JSON: ${problem}` }, { cause });
  }
}

/** Stages that would write with more care than is taken here, or elsewhere. */
function requireReading(pipeline: unknown): void {
  for (const stage of Array.isArray(pipeline) ? pipeline : []) {
    const [name = ''] = Object.keys((stage ?? {}) as Document); // whatever it is, the server says what is wrong
    if (['$out', '$merge', '$changeStream'].includes(name))
      throw forbidden(`the stage ${name} is not allowed`);
  }
}

const hasCursor = (name: string): boolean =>
  ['find', 'aggregate', 'listIndexes', 'listCollections'].includes(name);

/** A reply with a cursor is read to its end: nobody could go on with it in another request. */
async function whole(document: Document, name: string, commands: Commands): Promise<Document> {
  const documents: Document[] = [];
  const collection = name === 'listCollections' ? '$cmd.listCollections' : String(document[name]);
  const command = name === 'find' ? document : { ...document, cursor: {} };
  await eachDocument(commands, command, collection, (found) => {
    if (documents.length >= LIMITS.sqlRows) throw tooLarge();
    documents.push(found);
  });
  return { cursor: { firstBatch: documents, id: 0 }, ok: 1 };
}

const tooLarge = (): MagError =>
  new MagError('MAG_RESULT_TOO_LARGE', {
    limit: `${LIMITS.sqlRows} documents or ${LIMITS.resultBytes / 1024 / 1024} MiB`,
  });

/** Extended JSON in its relaxed form makes numbers of all integers: those that a number cannot hold stay exact. */
function exactly(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(exactly);
  if (tagOf(value) === 'Long') return { $numberLong: String(value) };
  if (!isPlainDocument(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, exactly(member)]));
}

/** Runs one command off the list; its reply as relaxed Extended JSON. */
export async function runNative(command: JsonValue, commands: Commands): Promise<string> {
  const document = readCommand(command);
  const [name = ''] = Object.keys(document);
  requireReading(document['pipeline']);
  const reply = hasCursor(name) ? await whole(document, name, commands) : await commands.run(document);
  const { $clusterTime: _, operationTime: __, ...shown } = reply;
  const text = EJSON.stringify(exactly(shown));
  if (text.length > LIMITS.resultBytes) throw tooLarge();
  return text;
}
