import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tokenKeys } from '../../src/actors/psu/token-keys.ts';
import { mintToken } from '../../src/actors/psu/token-mint.ts';
import type { Engine, TableInfo } from '../../src/actors/storage/engine.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Grant } from '../../src/protocol/principal.ts';
import type { ProjectHandle } from '../../src/protocol/project.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { ANON_KEY, memoryPorts, projectHandle, SERVICE_KEY, table } from '../support/edge-ports.ts';
import { MemoryFeed } from '../support/memory-feed.ts';
import { PhoenixClient, type RealtimeServer, startRealtime } from '../support/phoenix-client.ts';

const masterKey = Buffer.alloc(32, 3);
const everyone: readonly Grant[] = [
  { role: 'anon', table: '*', actions: ['select'] },
  { role: 'authenticated', table: '*', actions: ['select'] },
];
const handle: ProjectHandle = {
  ...projectHandle('demo', everyone),
  engine: 'postgres',
  tokenKeys: tokenKeys(masterKey, 'demo', 1),
};
const signer = { masterKey, ref: 'demo', version: 1, url: 'http://board/p/demo', now: Date.now() };
const TOPIC = 'realtime:notes';

const clients: PhoenixClient[] = [];
let feed: MemoryFeed;
let server: RealtimeServer;
let tables: readonly TableInfo[];
let late = 0;

const engine = {
  kind: 'postgres',
  schema: async () => ({ version: '1', tables: new Map(tables.map((one) => [one.name, one])) }),
} as unknown as Engine; // Realtime asks an engine for nothing else.

beforeEach(async () => {
  feed = new MemoryFeed();
  tables = [table('notes', ['id', 'owner']), table('open', ['id'])];
  const host = nodeHost();
  const ports = memoryPorts({ projects: [handle], feed, host: { ...host, now: () => host.now() + late } });
  server = await startRealtime({ ...ports, sessions: { open: () => engine } });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

const secured = (): readonly TableInfo[] =>
  tables.map((one) => ({ ...one, rowSecurity: one.name === 'notes' }));

async function follow(key: string, token?: string) {
  const client = await PhoenixClient.open(server, 'demo', { key });
  clients.push(client);
  const changes = ['notes', 'open'].map((name) => ({ event: '*', schema: 'public', table: name }));
  await client.join(TOPIC, { postgres_changes: changes }, token);
  return client;
}
const told = (client: PhoenixClient): string[] =>
  client.events('postgres_changes').map(({ payload: { data } }) => `${data.type} ${data.table}`);
const happen = (): void => {
  feed.append({ type: 'INSERT', table: 'notes', record: { id: 1, owner: 'a' } });
  feed.append({ type: 'TRUNCATE', table: 'notes' });
  feed.append({ type: 'INSERT', table: 'open', record: { id: 1 } });
};

describe('changes of a table under row level security', () => {
  it('are told to the service role alone, whatever a grant says, and the others hear why', async () => {
    tables = secured();
    const { token } = mintToken(signer, { role: 'authenticated', claims: { sub: 'a' } });
    const [anon, user, service, serviceToken] = await Promise.all([
      follow(ANON_KEY),
      follow(ANON_KEY, token),
      follow(SERVICE_KEY),
      follow(ANON_KEY, mintToken(signer, { role: 'service_role' }).token),
    ]);
    happen();
    for (const client of [service, serviceToken]) {
      await client.until(() => told(client).length === 3);
      expect(told(client)).toEqual(['INSERT notes', 'TRUNCATE notes', 'INSERT open']);
    }
    for (const client of [anon, user]) {
      await client.until(() => told(client).length > 0);
      expect(told(client)).toEqual(['INSERT open']);
      const [greeting] = client.events('system');
      expect(greeting?.payload.message).toContain(
        'no rows will come from notes: it is under row level security',
      );
    }
  });

  it('are told no more once it is enabled while somebody follows', async () => {
    const anon = await follow(ANON_KEY);
    happen();
    await anon.until(() => told(anon).length === 3);
    tables = secured();
    late += LIMITS.schemaCheckMs * 2;
    // The change that is the occasion to look again may still be told by what was known.
    feed.append({ type: 'INSERT', table: 'open', record: { id: 2 } });
    await anon.until(() => told(anon).length === 4);
    await anon.settle();
    happen();
    await anon.until(() => told(anon).length > 4);
    await anon.settle();
    expect(told(anon).slice(4)).toEqual(['INSERT open']);
  });
});
