import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DocumentBoard } from '../../support/document-board.ts';
import type { Bag } from '../../support/unified/bag.ts';
import { UnifiedRunner } from '../../support/unified/runner.ts';
import { COMMAND_CASES, TRANSACTION_CASES, type UnifiedCase } from './specification-cases.ts';

const board = new DocumentBoard();
let runner: UnifiedRunner;

/** As a project's user, who has one database and no other. */
beforeAll(async () => {
  const { url, database, user, password } = await board.connection('specification');
  const options = { auth: { username: user, password }, authSource: database };
  runner = new UnifiedRunner({ url, options, database });
});
afterAll(async () => {
  await runner.close();
  await board.close();
});

const place = { databaseName: 'specification', collectionName: 'test' };

function started(wanted: string | Bag): Bag {
  if (typeof wanted === 'string') return { commandStartedEvent: { commandName: wanted } };
  return { commandStartedEvent: { command: wanted } };
}

const fileOf = ({ name, operations, sends, left }: UnifiedCase): Bag => ({
  createEntities: [
    { client: { id: 'client', observeEvents: ['commandStartedEvent'] } },
    { database: { id: 'database', client: 'client', databaseName: 'specification' } },
    { collection: { id: 'collection', database: 'database', collectionName: 'test' } },
    { session: { id: 'session', client: 'client' } },
  ],
  initialData: [{ ...place, documents: [] }],
  tests: [
    {
      description: name,
      operations,
      ...(sends === undefined ? {} : { expectEvents: [{ client: 'client', events: sends.map(started) }] }),
      ...(left === undefined ? {} : { outcome: [{ ...place, documents: left }] }),
    },
  ],
});

const passed = async (each: UnifiedCase): Promise<void> =>
  expect(await runner.run(fileOf(each))).toEqual([{ name: each.name, status: 'passed', why: '' }]);

describe('the drivers’ specifications in their own format, as a project’s user', () => {
  it.each(TRANSACTION_CASES.map((each) => [each.name, each] as const))('%s', (_name, each) => passed(each));
  it.each(COMMAND_CASES.map((each) => [each.name, each] as const))('%s', (_name, each) => passed(each));
});

describe('commands that fail on purpose', () => {
  it('are those of the user who wants it, and of nobody else', async () => {
    const clients = await Promise.all(
      ['one', 'other'].map(async (ref) => {
        const { url, database, user, password } = await board.connection(ref);
        const client = new MongoClient(url, { auth: { username: user, password }, authSource: database });
        return { client, found: () => client.db(database).collection('test').findOne({}) };
      }),
    );
    const [one, other] = clients;
    await one?.client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode: 'alwaysOn',
      data: { failCommands: ['find'], errorCode: 11_601 },
    });
    await expect(one?.found()).rejects.toMatchObject({ code: 11_601 });
    expect(await other?.found()).toBeNull();
    await one?.client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
    expect(await one?.found()).toBeNull();
    for (const { client } of clients) await client.close();
  });
});
