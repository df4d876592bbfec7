import { MongoClient, type MongoClientOptions } from 'mongodb';
import type { DocumentBoard } from './document-board.ts';

/** The official driver on a project of the embedded document server, as an application would open it. */
export async function documentClient(
  board: DocumentBoard,
  ref: string,
  options: MongoClientOptions = {},
): Promise<{ readonly client: MongoClient; readonly database: ReturnType<MongoClient['db']> }> {
  const { url, database, user, password } = await board.connection(ref);
  const client = new MongoClient(url, {
    auth: { username: user, password },
    authSource: database,
    ...options,
  });
  await client.connect();
  return { client, database: client.db(database) };
}
