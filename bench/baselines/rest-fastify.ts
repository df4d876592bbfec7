/**
 * What a Node engineer would write by hand: Fastify and the driver, one route a query, two worker threads on one
 * port. `argv`: engine, SQLite file or the server's URL, threads, connections per thread.
 *
 * On PostgreSQL every query runs under a role with claims set, as row level security needs it, in one batch: the
 * driver's pipeline mode sends the three statements in one go and waits once.
 */

import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fastify, { type FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import mysql from 'mysql2/promise';
import pg from 'pg';

interface Plan {
  readonly engine: string;
  readonly target: string;
  readonly connections: number;
  readonly port: number;
}

interface Item {
  readonly name: string;
  readonly value: number;
  readonly note: string;
}

function sqlite(app: FastifyInstance, file: string): void {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on');
  const get = db.prepare('select id, name, value, note from items where id = ?');
  const list = db.prepare('select id, name, value, note from items order by id desc limit 20');
  const insert = db.prepare(
    'insert into items (name, value, note) values (?, ?, ?) returning id, name, value, note',
  );
  app.get('/items/:id', async (request) => get.get(Number((request.params as { id: string }).id)));
  app.get('/items', async () => list.all());
  const parts = `select json_group_array(json_object('id', p.id, 'label', p.label) order by p.id) from parts p where p.owner_id = o.id`;
  const owner = `json_object('id', o.id, 'name', o.name, 'parts', json((${parts})))`;
  const embed = db.prepare(
    `select json_group_array(json(r.o)) as json from (select ${owner} as o from owners o order by o.id limit 100) r`,
  );
  app.get('/owners', async (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(embed.get()?.['json']),
  );
  app.post('/items', async (request, reply) => {
    const { name, value, note } = request.body as Item;
    reply.code(201);
    return insert.get(name, value, note);
  });
}

const ASSUME =
  `begin; set local role authenticated; ` +
  `set local "request.jwt.claims" = '{"role":"authenticated","sub":"11111111-1111-4111-8111-111111111111"}'`;

/** One query under the role, in a transaction of its own. */
async function underRole(
  pool: pg.Pool,
  query: { readonly name: string; readonly text: string; readonly values?: readonly unknown[] },
): Promise<pg.QueryResult> {
  const client = await pool.connect();
  try {
    const { values = [], ...rest } = query;
    const batch = [
      client.query(ASSUME),
      client.query({ ...rest, values: [...values] }),
      client.query('commit'),
    ];
    const [, result] = await Promise.all(batch);
    if (result === undefined) throw new Error('the batch gave no result');
    return result;
  } finally {
    client.release();
  }
}

function postgres(app: FastifyInstance, url: string, connections: number): void {
  const pool = new pg.Pool({ connectionString: url, max: connections, pipeline: true } as pg.PoolConfig); // newer than its types
  const columns = 'id, name, value, note';
  app.get('/items/:id', async (request) => {
    const { id } = request.params as { id: string };
    const { rows } = await underRole(pool, {
      name: 'get',
      text: `select ${columns} from items where id = $1`,
      values: [id],
    });
    return rows[0];
  });
  app.get('/items', async () => {
    const { rows } = await underRole(pool, {
      name: 'list',
      text: `select ${columns} from items order by id desc limit 20`,
    });
    return rows;
  });
  app.get('/owners', async (_request, reply) => {
    const parts = `select json_agg(json_build_object('id', p.id, 'label', p.label) order by p.id) from parts p where p.owner_id = o.id`;
    const rows = `select o.id, o.name, coalesce((${parts}), '[]') as parts from owners o order by o.id limit 100`;
    const text = `select coalesce(json_agg(row_to_json(r)), '[]')::text as json from (${rows}) r`;
    const result = await underRole(pool, { name: 'embed', text });
    return reply.type('application/json; charset=utf-8').send(result.rows[0].json);
  });
  app.post('/items', async (request, reply) => {
    const { name, value, note } = request.body as Item;
    const text = `insert into items (name, value, note) values ($1, $2, $3) returning ${columns}`;
    const { rows } = await underRole(pool, { name: 'insert', text, values: [name, value, note] });
    reply.code(201);
    return rows[0];
  });
}

/** Documents as JSON texts beside a sorted set of their ids, replied as they are stored. */
function mysqlRoutes(app: FastifyInstance, url: string, connections: number): void {
  const pool = mysql.createPool({ uri: url, connectionLimit: connections });
  const columns = 'id, name, value, note';
  const rowsOf = async (text: string, values: readonly (string | number)[] = []): Promise<unknown[]> => {
    const [rows] = await pool.execute(text, [...values]);
    return rows as unknown[]; // Each of the statements gives rows.
  };
  app.get('/items/:id', async (request) => {
    const { id } = request.params as { id: string };
    return (await rowsOf(`select ${columns} from items where id = ?`, [id]))[0];
  });
  app.get('/items', () => rowsOf(`select ${columns} from items order by id desc limit 20`));
  app.get('/owners', async (_request, reply) => {
    const parts = `select json_arrayagg(json_object('id', p.id, 'label', p.label) order by p.id) from parts p where p.owner_id = o.id`;
    const owner = `json_object('id', o.id, 'name', o.name, 'parts', json_compact(coalesce((${parts}), '[]')))`;
    const owners = 'select id, name from owners order by id limit 100';
    // As text: MariaDB calls it JSON, which the driver would parse for nothing.
    const text = `select concat(json_arrayagg(${owner} order by o.id), '') as json from (${owners}) o`;
    const [row] = (await rowsOf(text)) as readonly { readonly json: string }[]; // as it says
    return reply.type('application/json; charset=utf-8').send(row?.json);
  });
  app.post('/items', async (request, reply) => {
    const { name, value, note } = request.body as Item;
    const text = `insert into items (name, value, note) values (?, ?, ?) returning ${columns}`;
    const [row] = await rowsOf(text, [name, value, note]);
    reply.code(201);
    return row;
  });
}

function redis(app: FastifyInstance, url: string): void {
  const client = new Redis(url);
  const prefix = 'baseline:items:';
  const json = 'application/json; charset=utf-8';
  app.get('/items/:id', async (request, reply) => {
    const text = await client.get(prefix + (request.params as { id: string }).id);
    return reply.type(json).send(text);
  });
  app.get('/items', async (_request, reply) => {
    const ids = await client.zrange('baseline:ids', '0', '19', 'REV');
    const texts = await client.mget(ids.map((id) => prefix + id));
    return reply.type(json).send(`[${texts.join(',')}]`);
  });
  app.post('/items', async (request, reply) => {
    const id = randomUUID();
    const text = JSON.stringify({ id, ...(request.body as Item) });
    await client
      .multi()
      .set(prefix + id, text)
      .zadd('baseline:ids', 0, id)
      .exec();
    return reply.code(201).type(json).send(text);
  });
}

/** The key under the name that the board shows it by. */
function mongodb(app: FastifyInstance, url: string, connections: number): void {
  const client = new MongoClient(url, { maxPoolSize: connections });
  const items = client.db().collection<Item & { readonly _id: number | string }>('items');
  const shown = ({ _id: id, ...rest }: Item & { readonly _id: number | string }): object => ({ id, ...rest });
  app.get('/items/:id', async (request) => {
    const found = await items.findOne({ _id: Number((request.params as { id: string }).id) });
    return found === null ? null : shown(found);
  });
  app.get('/items', async () => {
    const found = await items.find({}).sort({ _id: -1 }).limit(20).toArray();
    return found.map(shown);
  });
  app.post('/items', async (request, reply) => {
    const item = { _id: randomUUID(), ...(request.body as Item) };
    await items.insertOne(item);
    reply.code(201);
    return shown(item);
  });
}

async function serve(plan: Plan): Promise<number> {
  const app = fastify();
  if (plan.engine === 'sqlite') sqlite(app, plan.target);
  else if (plan.engine === 'redis') redis(app, plan.target);
  else if (plan.engine === 'mongodb') mongodb(app, plan.target, plan.connections);
  else if (plan.engine === 'mysql') mysqlRoutes(app, plan.target, plan.connections);
  else postgres(app, plan.target, plan.connections);
  await app.ready();
  await new Promise<void>((resolve) =>
    app.server.listen({ port: plan.port, host: '127.0.0.1', reusePort: true }, resolve),
  );
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

if (isMainThread) {
  const [engine = '', target = '', threads = '2', connections = '5'] = process.argv.slice(2);
  let port = 0;
  for (let index = 0; index < Number(threads); index += 1) {
    const plan: Plan = { engine, target, connections: Number(connections), port };
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: plan });
    port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  }
  process.stdout.write(`${port}\n`);
} else {
  const plan = workerData as Plan;
  parentPort?.postMessage(await serve(plan));
}
