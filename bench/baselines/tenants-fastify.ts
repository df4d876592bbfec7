/**
 * Two projects served by bare Fastify and the driver, two worker threads on one port: what the machine, the driver and
 * the engine's server alone make of a quiet client beside a noisy one. `argv`: JSON of {engine, targets: {quiet, noisy}},
 * each target what the engine's driver takes. `/NAME/one` reads a row, `/NAME/list` a hundred.
 */
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fastify, { type FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import mysql from 'mysql2/promise';
import pg from 'pg';

/** SQLite's is a file, Redis' the URL and the prefix of the keys with a blank between them, the others' a URL. */
export interface TenantsBaseline {
  readonly engine: string;
  readonly targets: Readonly<Record<string, string>>;
}

interface Plan extends TenantsBaseline {
  readonly port: number;
}

/** The two reads of one project. */
interface Reads {
  one(): unknown;
  list(): unknown;
}

const THREADS = 2;
/** Of each thread to each project: a credential has eight in all, a project of the board ten. */
const CONNECTIONS = 4;
const ONE = 'select id, name, value from items where id = 7';
const LIST = 'select id, name, value from items order by id limit 100';

function sqlite(file: string): Reads {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  const one = db.prepare(ONE);
  const list = db.prepare(LIST);
  return { one: () => one.all(), list: () => list.all() };
}

function postgres(url: string): Reads {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  const rows = async (name: string, text: string) => (await pool.query({ name, text })).rows;
  return { one: () => rows('one', ONE), list: () => rows('list', LIST) };
}

function mysqlReads(url: string): Reads {
  const pool = mysql.createPool({ uri: url, connectionLimit: CONNECTIONS });
  const rows = async (text: string) => (await pool.execute(text))[0];
  return { one: () => rows(ONE), list: () => rows(LIST) };
}

/** Replied as they are stored. */
function redis(target: string): Reads {
  const [url = '', prefix = ''] = target.split(' ');
  const client = new Redis(url);
  const keys = Array.from({ length: 100 }, (_, at) => `${prefix}c:items:${at + 1}`);
  return {
    one: async () => `[${await client.get(`${prefix}c:items:7`)}]`,
    list: async () => `[${(await client.mget(keys)).join(',')}]`,
  };
}

function mongodb(url: string): Reads {
  const items = new MongoClient(url, { maxPoolSize: CONNECTIONS }).db().collection<{ _id: number }>('items');
  return {
    one: () => items.find({ _id: 7 }).toArray(),
    list: () => items.find({}).sort({ _id: 1 }).limit(100).toArray(),
  };
}

const READS: Readonly<Record<string, (target: string) => Reads>> = {
  ...{ sqlite, postgres, mysql: mysqlReads, redis, mongodb },
};

function route(app: FastifyInstance, name: string, reads: Reads): void {
  for (const way of ['one', 'list'] as const) {
    app.get(`/${name}/${way}`, async (_request, reply) =>
      reply.type('application/json; charset=utf-8').send(await reads[way]()),
    );
  }
}

async function serve({ engine, targets, port }: Plan): Promise<number> {
  const open = READS[engine];
  if (open === undefined) throw new Error(`no baseline for ${engine}`);
  const app = fastify();
  for (const [name, target] of Object.entries(targets)) route(app, name, open(target));
  await app.ready();
  await new Promise<void>((resolve) =>
    app.server.listen({ port, host: '127.0.0.1', reusePort: true }, resolve),
  );
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

if (isMainThread) {
  const baseline = JSON.parse(process.argv[2] ?? '{}') as TenantsBaseline;
  let port = 0;
  for (let index = 0; index < THREADS; index += 1) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { ...baseline, port } });
    port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  }
  process.stdout.write(`${port}\n`);
} else {
  parentPort?.postMessage(await serve(workerData as Plan));
}
