import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { JsonValue } from '../../../protocol/query.ts';
import type { ExecuteContext } from '../engine.ts';
import type { RedisTarget } from './connection.ts';
import { requireField } from './fields.ts';
import { CollectionIndexes } from './indexes.ts';
import { prepare, prepareScan, wordsOf } from './native-command.ts';
import { type DocumentStore, tooLarge } from './store.ts';

const usage = (problem: string): MagError => new MagError('MAG_BAD_REQUEST', { problem });

const INDEX_USAGE = 'MAG.INDEX CREATE collection field [UNIQUE], DROP collection field, or LIST collection';

/** Commands of a project's service key: Redis's own on its keys, and the engine's on its collections. */
export class NativeCommands {
  readonly #store: DocumentStore;
  readonly #scanner: RedisTarget;
  readonly #indexes: CollectionIndexes;

  constructor(store: DocumentStore, scanner: RedisTarget) {
    this.#store = store;
    this.#scanner = scanner;
    this.#indexes = new CollectionIndexes(store);
  }

  /** JSON text `{"result": …}`. */
  async run(command: JsonValue, context: ExecuteContext): Promise<string> {
    const words = wordsOf(command);
    const name = (words[0] ?? '').toUpperCase();
    const result = await this.#dispatch(name, words, context);
    const json = stringifyExact({ result: plain(result) });
    if (json.length > LIMITS.resultBytes) throw tooLarge();
    return json;
  }

  async #dispatch(name: string, words: readonly string[], context: ExecuteContext): Promise<unknown> {
    if (name === 'MAG.INDEX') return this.#index(words.slice(1), context);
    if (name === 'MAG.COLLECTION') return this.#collection(words.slice(1), context);
    if (name === 'SCAN') return this.#scan(words, context);
    const { prefix } = this.#store.keys;
    const prepared = prepare(words, prefix);
    return this.#store.session.run(context, prepared.name, prepared.args);
  }

  async #index(
    [verb = '', collection = '', field = '', unique = '']: readonly string[],
    context: ExecuteContext,
  ): Promise<unknown> {
    if (collection === '') throw usage(INDEX_USAGE);
    if (verb.toUpperCase() === 'LIST') {
      const indexes = await this.#indexes.list(collection, context);
      return indexes.map((index) => [index.field, index.state, ...(index.unique ? ['unique'] : [])]);
    }
    if (field === '' || !['', 'UNIQUE'].includes(unique.toUpperCase())) throw usage(INDEX_USAGE);
    requireField(field);
    if (verb.toUpperCase() === 'CREATE')
      await this.#indexes.create(collection, field, unique !== '', context);
    else if (verb.toUpperCase() === 'DROP') await this.#indexes.drop(collection, field, context);
    else throw usage(INDEX_USAGE);
    return 'OK';
  }

  async #collection([verb = '', name = '']: readonly string[], context: ExecuteContext): Promise<unknown> {
    if (verb.toUpperCase() !== 'DROP' || name === '') throw usage('MAG.COLLECTION DROP collection');
    await this.#indexes.dropCollection(name, context);
    return 'OK';
  }

  /** SCAN shows every key of the server: it runs as the board's own user, and what is not the project's is left out. */
  #scan(words: readonly string[], context: ExecuteContext): Promise<unknown> {
    const { prefix } = this.#store.keys;
    const { name, args } = prepareScan(words, prefix);
    return this.#store.session.apart(this.#scanner, context, async (run) => {
      const [cursor, keys] = (await run(name, args)) as [string, readonly string[]]; // SCAN's reply
      const own = keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
      return [cursor, own.filter((key) => !key.startsWith('$'))];
    });
  }
}

/** A reply as JSON: texts, numbers, null, lists. */
function plain(reply: unknown): JsonValue {
  if (Array.isArray(reply)) return reply.map(plain);
  if (typeof reply === 'string' || typeof reply === 'number' || typeof reply === 'bigint') return reply;
  return reply === null || reply === undefined ? null : String(reply);
}
