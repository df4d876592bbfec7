import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, findNode, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard;
let project: NewProject;
const sockets: WebSocket[] = [];

beforeAll(async () => {
  board = await startTestBoard();
  project = await board.createProject('restarts', 'sqlite');
  await board.sql(project, 'create table ticks (id integer primary key)');
});

afterAll(async () => {
  for (const socket of sockets) socket.terminate();
  await board.stop();
});

interface Follower {
  readonly ids: number[];
  readonly positions: { readonly epoch: string; readonly offset: number }[];
}

/** Follows the table with positions, from a position or from now on. Resolves when it is subscribed. */
async function follow(resume?: object): Promise<Follower> {
  const address = `${project.url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${project.keys.service}&vsn=2.0.0`;
  const socket = new WebSocket(address);
  sockets.push(socket);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const follower: Follower = { ids: [], positions: [] };
  const joined = new Promise<void>((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      const [, , , event, payload] = JSON.parse(data.toString());
      if (event === 'phx_reply' && payload.status === 'ok') resolve();
      if (event === 'phx_reply' && payload.status !== 'ok') reject(new Error(JSON.stringify(payload)));
      if (event !== 'postgres_changes') return;
      follower.ids.push(payload.data.record.id);
      follower.positions.push({ epoch: payload.epoch, offset: payload.offset });
    });
  });
  const config = {
    postgres_changes: [{ event: 'INSERT', schema: 'public', table: 'ticks' }],
    magmobo: resume === undefined ? {} : { resume },
  };
  socket.send(JSON.stringify(['1', '1', 'realtime:ticks', 'phx_join', { config }]));
  await joined;
  return follower;
}

async function insert(from: number, to: number): Promise<void> {
  for (let id = from; id <= to; id += 1) {
    const { status, body } = await board.sql(project, 'insert into ticks values (?)', [id]);
    if (status !== 200) throw new Error(`${id}: ${JSON.stringify(body)}`);
  }
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('a crash of the feed worker while rows are written', () => {
  it('costs a subscriber no row and repeats none, live or resumed', async () => {
    const live = await follow();
    await insert(1, 10);
    await eventually(async () => live.ids.length === 10, 'the first rows');
    const restarts = findNode(await board.tree(), 'board/feed')?.restarts ?? 0;
    const writing = insert(11, 60);
    await board.admin('POST', '/admin/v1/actors/board/feed/crash', { reason: 'test' });
    await writing;
    await eventually(
      async () => (findNode(await board.tree(), 'board/feed')?.restarts ?? 0) > restarts,
      'the feed to be restarted',
    );
    await insert(61, 70);
    await eventually(async () => live.ids.length >= 70, 'the rows written across the crash');
    expect(live.ids).toEqual(range(1, 70));

    const resumed = await follow(live.positions[4]);
    await insert(71, 75);
    await eventually(async () => resumed.ids.length >= 70 && live.ids.length >= 75, 'the resumed rows');
    expect(resumed.ids).toEqual(range(6, 75));
    expect(live.ids).toEqual(range(1, 75));
  });
});
