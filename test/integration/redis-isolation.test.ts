import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../src/actors/storage/redis/connection.ts';
import type { RedisEngine, RedisProjectConnection } from '../../src/actors/storage/redis/engine.ts';
import { FUNCTIONS } from '../../src/actors/storage/redis/functions.ts';
import { insert, select } from '../contract/engine/subject.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

const SECRET = 'secret-of-the-other';

describe.skipIf(!service('redis').available)('a project on Redis', () => {
  let redis: ManagedRedis;
  let engine: RedisEngine;
  let wire: RedisConnection;
  let own: string;
  let other: RedisProjectConnection;
  let before: string;

  /** Everything of the other project, as the server has it. */
  const snapshot = async (): Promise<string> => {
    const admin = await redis.admin();
    const keys = ((await admin.call('KEYS', `${other.prefix}*`)) as string[]).toSorted();
    return JSON.stringify(
      await Promise.all(keys.map(async (key) => [key, String(await admin.call('DUMP', key))])),
    );
  };

  beforeAll(async () => {
    redis = await managedRedis();
    engine = await redis.engine('own');
    const theirs = await redis.engine('other');
    await theirs.execute(insert([{ id: SECRET, owner: SECRET }]), redis.context('other'));
    await theirs.native?.(['SET', SECRET, SECRET], redis.context('other'));
    await engine.execute(insert([{ id: 1 }]), redis.context('own'));
    other = await redis.connection('other');
    const { user, password, host, port, prefix } = await redis.connection('own');
    own = prefix;
    wire = await RedisConnection.open({ user, password, host, port }, redis.host);
    for (const [key, value] of [
      ['k', 'v'],
      ['n', '1'],
    ] as const)
      await wire.call('SET', own + key, value);
    await wire.call('SADD', `${own}s`, 'm');
    await wire.call('ZADD', `${own}z`, 1, 'm');
    before = await snapshot();
  });
  afterAll(async () => {
    expect(await snapshot()).toBe(before);
    wire.close();
    await redis.stop();
  });

  const attacks: readonly (readonly [
    string,
    (theirs: string, mine: string) => readonly (string | number)[],
  ])[] = [
    ['reads a key', (theirs) => ['GET', theirs + SECRET]],
    ['reads several', (theirs, mine) => ['MGET', `${mine}k`, theirs + SECRET]],
    ['writes', (theirs) => ['SET', theirs + SECRET, 'x']],
    ['writes several', (theirs, mine) => ['MSET', `${mine}k`, 'v', theirs + SECRET, 'x']],
    ['deletes', (theirs) => ['DEL', theirs + SECRET]],
    ['asks whether it is there', (theirs) => ['EXISTS', theirs + SECRET]],
    ['moves a key over', (theirs, mine) => ['RENAME', `${mine}k`, `${theirs}k`]],
    ['moves a key here', (theirs, mine) => ['RENAME', theirs + SECRET, `${mine}k2`]],
    ['copies', (theirs, mine) => ['COPY', theirs + SECRET, `${mine}k2`]],
    ['stores a union', (theirs, mine) => ['SUNIONSTORE', `${mine}s2`, `${theirs}s`]],
    [
      'stores a union of sorted sets',
      (theirs, mine) => ['ZUNIONSTORE', `${mine}z2`, 1, `${theirs}$ids:items`],
    ],
    ['reads the order of ids', (theirs) => ['ZRANGE', `${theirs}$ids:items`, 0, -1]],
    ['sorts by', (theirs, mine) => ['SORT', `${mine}s`, 'BY', `${theirs}*`, 'GET', `${theirs}*`]],
    ['compares texts', (theirs, mine) => ['LCS', `${mine}k`, theirs + SECRET]],
    ['dumps', (theirs) => ['DUMP', theirs + SECRET]],
    ['reads a stream', (theirs) => ['XREAD', 'STREAMS', `${theirs}x`, '0']],
    ['looks at an object', (theirs) => ['OBJECT', 'ENCODING', theirs + SECRET]],
    ['asks for memory', (theirs) => ['MEMORY', 'USAGE', theirs + SECRET]],
    ['watches', (theirs) => ['WATCH', theirs + SECRET]],
    ['lists keys', () => ['KEYS', '*']],
    ['scans keys', () => ['SCAN', 0]],
    ['takes any key', () => ['RANDOMKEY']],
    ['counts keys', () => ['DBSIZE']],
    ['changes the database', () => ['SELECT', 1]],
    ['swaps databases', () => ['SWAPDB', 0, 1]],
    ['empties the server', () => ['FLUSHALL']],
    ['empties the database', () => ['FLUSHDB']],
    ['reads settings', () => ['CONFIG', 'GET', '*']],
    ['reads users', () => ['ACL', 'LIST']],
    ['makes a user', () => ['ACL', 'SETUSER', 'x', 'on', 'nopass', '~*', '+@all']],
    ['runs a script', (theirs) => ['EVAL', `return redis.call('GET', '${theirs}${SECRET}')`, 0]],
    [
      'loads a function',
      () => ['FUNCTION', 'LOAD', '#!lua name=x\nredis.register_function("x", function() end)'],
    ],
    ['lists functions', () => ['FUNCTION', 'LIST']],
    ['calls an unknown function', () => ['FCALL', 'x', 0]],
    ['lists clients', () => ['CLIENT', 'LIST']],
    ['kills a client', () => ['CLIENT', 'KILL', 'TYPE', 'normal']],
    ['follows key names', () => ['CLIENT', 'TRACKING', 'on', 'BCAST']],
    ['listens to all', () => ['MONITOR']],
    ['asks about the server', () => ['INFO']],
    ['stops the server', () => ['SHUTDOWN', 'NOSAVE']],
    ['makes it a replica', () => ['REPLICAOF', '127.0.0.1', 1]],
    ['loads a module', () => ['MODULE', 'LOAD', '/tmp/x.so']],
    ['debugs', () => ['DEBUG', 'SLEEP', 0]],
    ['moves to another server', (theirs) => ['MIGRATE', '127.0.0.1', 1, theirs + SECRET, 0, 1]],
    ['publishes', (theirs) => ['PUBLISH', `${theirs}c`, 'x']],
    ['lists channels', () => ['PUBSUB', 'CHANNELS']],
    ['subscribes', (theirs) => ['SUBSCRIBE', `${theirs}c`]],
    ['subscribes to a pattern', () => ['PSUBSCRIBE', '*']],
    [
      'pages through the engine',
      (theirs, mine) => [
        ...[
          'FCALL_RO',
          FUNCTIONS.page,
          2,
          `${theirs}$collections`,
          `${theirs}$ids:items`,
          `${mine}c:items:`,
          'items',
        ],
        ...['', 'rank', '0', '0', 0, 10, 10, 1000],
      ],
    ],
    [
      'pages through the engine with its own registry',
      (theirs, mine) => [
        ...[
          'FCALL_RO',
          FUNCTIONS.page,
          2,
          `${mine}$collections`,
          `${mine}$ids:items`,
          `${theirs}c:items:`,
          'items',
        ],
        ...['', 'rank', '0', '0', 0, 10, 10, 1000],
      ],
    ],
    [
      'writes through the engine',
      (theirs, mine) => [
        ...['FCALL', FUNCTIONS.write, 3, `${mine}$collections`, `${mine}$records`, `${mine}$ids:items`],
        ...['0', 10, 1, 0, 0, 0, 0],
        ...[3, 0, `${theirs}c:items:`, 'items', '[]', '', 1, 'put', 'x', 'tx', '', '{}', 0],
      ],
    ],
  ];

  it.each(attacks)('that %s is refused on the wire', async (_what, command) => {
    const [name = '', ...args] = command(other.prefix, own);
    await expect(wire.call(String(name), ...args)).rejects.toThrow(
      /NOPERM|permission|can't access|not allowed/,
    );
  });

  it.each(attacks)('that %s learns and changes nothing over native commands', async (_what, command) => {
    const outcome = await engine.native?.(command(other.prefix, own), redis.context('own')).then(
      (reply) => reply,
      (error: unknown) => {
        expect(error).toMatchObject({ status: expect.toSatisfy((status: number) => status < 500) });
        return '';
      },
    );
    // What it names are its own keys, whatever they look like.
    expect(outcome).not.toContain(SECRET);
  });

  it.each(['*', `../*`, '\\*', '[', '?*', 'mag_*', '', `*${SECRET}*`])(
    'sees no key of another by SCAN MATCH %s',
    async (pattern) => {
      let cursor = '0';
      const seen: string[] = [];
      do {
        const reply = await engine.native?.(['SCAN', cursor, 'MATCH', pattern], redis.context('own'));
        const [next, keys] = JSON.parse(reply ?? '').result as [string, string[]];
        seen.push(...keys);
        cursor = next;
      } while (cursor !== '0');
      const admin = await redis.admin();
      const mine = ((await admin.call('KEYS', `${own}*`)) as string[]).map((key) => key.slice(own.length));
      const shown = mine.filter((key) => !key.startsWith('$'));
      expect(shown).toEqual(expect.arrayContaining(seen));
      if (pattern === '*') expect(seen.toSorted()).toEqual(shown.toSorted());
    },
  );

  it('cannot leave its prefix by the name of a collection, a field or an id', async () => {
    for (const table of [
      `x:../${other.prefix}c:items`,
      `${other.prefix}c:items`,
      '%3A:',
      '$collections',
      '*',
      '\0',
      'ü:',
    ]) {
      const field = table.replaceAll(/[.$\0]/g, '_');
      await engine.execute(insert([{ id: SECRET, [field]: 1 }], { table }), redis.context('own'));
      await engine.native?.(['MAG.INDEX', 'CREATE', table, field], redis.context('own'));
      const { json } = await engine.execute(select({ table }), redis.context('own'));
      expect(JSON.parse(json)).toEqual([{ id: SECRET, [field]: 1 }]);
      await engine.native?.(['MAG.COLLECTION', 'DROP', table], redis.context('own'));
    }
    const admin = await redis.admin();
    const strays = ((await admin.call('KEYS', '*')) as string[]).filter(
      (key) => !key.startsWith(own) && !key.startsWith(other.prefix),
    );
    expect(strays).toEqual([expect.stringMatching(/^mag_\w+_projects$/)]);
  });

  it('cannot write over documents, their order or their indexes with its own commands', async () => {
    for (const command of [
      ['SET', 'c:items:1', 'x'],
      ['DEL', '$ids:items'],
      ['HSET', '$collections', 'items', 'x'],
      ['RENAME', 'k', 'c:items:1'],
    ]) {
      await expect(engine.native?.(command, redis.context('own'))).rejects.toMatchObject({
        code: 'MAG_STATEMENT_FORBIDDEN',
      });
    }
    expect(await engine.native?.(['GET', 'c:items:1'], redis.context('own'))).toBe(
      '{"result":"{\\"id\\":1}"}',
    );
  });

  it('that writes over its own documents on the wire gets an error with a code, never a crash', async () => {
    await wire.call('SET', `${own}c:items:1`, 'no json');
    await expect(
      engine.execute(
        select({
          order: [{ column: { name: 'x' }, direction: 'asc' }],
          select: [{ kind: 'column', column: { name: 'x' } }],
        }),
        redis.context('own'),
      ),
    ).rejects.toMatchObject({ code: '22032', status: 400 });
    await wire.call('DEL', `${own}$ids:items`);
    await wire.call('SADD', `${own}$ids:items`, 'x');
    await expect(engine.execute(select(), redis.context('own'))).rejects.toMatchObject({
      code: '42804',
      status: 400,
    });
    await expect(engine.execute(insert([{ id: 5 }]), redis.context('own'))).rejects.toMatchObject({
      code: '42804',
    });
    expect(await wire.call('EXISTS', `${own}c:items:5`)).toBe(0);
  });
});
