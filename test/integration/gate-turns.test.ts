import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { TURN_LIMITS } from '../../src/limits-turns.ts';
import { OTHER, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let board: TestGate;
afterEach(() => board.gate.close());

async function open(): Promise<Socket> {
  const socket = connect(board.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const get = (ref: string, table: string, key: string): string =>
  `GET /p/${ref}/rest/v1/${table} HTTP/1.1\r\nhost: a\r\napikey: ${key}\r\n\r\n`;

/** Until so many replies have come. */
async function replies(socket: Socket, count: number): Promise<string> {
  let text = '';
  while (text.split('HTTP/1.1 200').length <= count) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]; // no encoding is set
    text += chunk.toString();
  }
  return text;
}

it('serves a quiet project before most of what a noisy one sent ahead of it, and all of that in its order', async () => {
  board = await startGate();
  const served: string[] = [];
  board.engine.create('items', ['id']);
  for (let at = 0; at < 20; at += 1) board.engine.create(`noise${at}`, ['id']);
  const { engine } = board;
  board.session = {
    ...{ kind: engine.kind, schema: () => engine.schema(), close: () => engine.close() },
    sql: (statement, params) => engine.sql(statement, params),
    execute: (query, context) => {
      served.push(query.table);
      return engine.execute(query, context);
    },
  };
  const noisy = await open();
  const quiet = await open();
  // Written in one turn of this thread, which the gate shares: it finds all of it at once.
  noisy.write(Array.from({ length: 20 }, (_, at) => get('otherproject', `noise${at}`, OTHER)).join(''));
  quiet.write(get(REF, 'items', SERVICE));
  await Promise.all([replies(noisy, 20), replies(quiet, 1)]);
  expect(served.indexOf('items')).toBeLessThanOrEqual(TURN_LIMITS.projectTurn);
  const noise = served.filter((table) => table !== 'items');
  expect(noise).toEqual(Array.from({ length: 20 }, (_, at) => `noise${at}`));
  expect(board.gate.stats().turns).toEqual({ waiting: 0, waited: 20 - TURN_LIMITS.projectTurn, refused: 0 });
});
