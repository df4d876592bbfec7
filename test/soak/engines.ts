import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActorNode } from '../../src/protocol/actor-node.ts';
import { ENGINE_KINDS, type EngineKind } from '../../src/protocol/project.ts';
import { eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

const WRITERS = 2;
/** A write that is still not answered after so many tries counts as stuck. */
const TRIES = 2_000;

/** What a storm over the engines came to. `wrong` says, a line each, what must not have happened. */
export interface EngineStorm {
  readonly faults: Readonly<Record<string, number>>;
  readonly acknowledged: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

const TABLES: Readonly<Partial<Record<EngineKind, string>>> = {
  sqlite: 'create table written (id integer primary key, token text not null)',
  postgres: 'create table written (id bigint generated always as identity primary key, token text not null)',
  mysql: 'create table written (id bigint auto_increment primary key, token varchar(50) not null)',
};

/** Numbers from 0 up to 1 by a seed: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One board on one port, over all the lives that the storm leaves it. */
class StormyBoard {
  board: TestBoard;
  readonly projects = new Map<EngineKind, NewProject>();
  readonly faults: Record<string, number> = {};
  readonly #random: () => number;

  private constructor(board: TestBoard, seed: number) {
    this.board = board;
    this.#random = random(seed);
  }

  static async start(seed: number): Promise<StormyBoard> {
    const self = new StormyBoard(await startTestBoard(), seed);
    const { body } = await self.board.admin<{ engine: EngineKind; available: boolean }[]>(
      'GET',
      '/admin/v1/engines',
    );
    const available = new Set(body.flatMap((each) => (each.available ? [each.engine] : [])));
    for (const engine of ENGINE_KINDS) {
      if (!available.has(engine)) continue;
      const project = await self.board.createProject(`storm-${engine}`, engine);
      const ddl = TABLES[engine];
      if (ddl !== undefined) await self.board.sql(project, ddl);
      self.projects.set(engine, project);
    }
    return self;
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  /** Does one thing of those that must do no harm. */
  async fault(): Promise<void> {
    const dice = this.#random();
    const kind = dice < 0.06 ? 'board' : dice < 0.5 ? 'server' : 'actor';
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    if (kind === 'board') await this.#killBoard();
    else if (kind === 'server') this.#killServer();
    else await this.#crashActor();
  }

  async #killBoard(): Promise<void> {
    const { folder, url } = this.board;
    this.board.kill('SIGKILL');
    await this.board.exited;
    this.board = await startTestBoard({ folder, env: { MAG_PORT: new URL(url).port } });
  }

  #killServer(): void {
    const text = readFileSync(join(this.board.folder, 'run/children.json'), 'utf8');
    const child = this.#pick(JSON.parse(text) as { pid: number }[]); // written by the board
    if (child === undefined) return;
    try {
      process.kill(child.pid, 'SIGKILL');
    } catch {
      // It has just died of the last fault.
    }
  }

  async #crashActor(): Promise<void> {
    const paths: string[] = [];
    const collect = (node: ActorNode): void => {
      paths.push(node.path);
      for (const child of node.children) collect(child);
    };
    try {
      collect(await this.board.tree());
      const fault = this.#pick(['throw', 'exit', 'spin']);
      await this.board.admin('POST', `/admin/v1/actors/${this.#pick(paths)}/crash`, {
        reason: 'soak',
        fault,
      });
    } catch {
      // The way in may be what the last fault took.
    }
  }
}

/** Writes one token after another under its own key, each until it is acknowledged. */
async function write(
  storm: StormyBoard,
  engine: EngineKind,
  writer: number,
  going: () => boolean,
  result: { readonly tokens: string[]; readonly wrong: string[] },
): Promise<void> {
  const project = storm.projects.get(engine);
  if (project === undefined) return;
  for (let count = 0; going(); count += 1) {
    const token = `${writer}-${count}`;
    const headers = {
      apikey: project.keys.service,
      'content-type': 'application/json',
      'idempotency-key': token,
    };
    const body = JSON.stringify({ token });
    let tries = 0;
    for (; tries < TRIES; tries += 1) {
      const reply = await fetch(`${project.url}/rest/v1/written`, { method: 'POST', headers, body }).catch(
        () => null,
      );
      const said = reply === null ? '' : await reply.text().catch(() => 'cut off');
      if (reply?.status === 201) break;
      // Nobody there, a way in that is not up, an engine that is away, a request of this key that still runs.
      const expected = reply === null || [409, 502, 503, 504].includes(reply.status);
      if (!expected) {
        result.wrong.push(`${engine}: ${token} was answered ${reply.status} ${said.slice(0, 300)}`);
        const id = reply.headers.get('x-request-id') ?? 'no id';
        await sleep(500); // The log goes through the port of the thread that answered.
        const lines = storm.board.output().split('\n');
        result.wrong.push(...lines.filter((line) => line.includes(id)));
        return;
      }
      await sleep(20);
    }
    if (tries === TRIES) {
      result.wrong.push(`${engine}: ${token} was not acknowledged in ${TRIES} tries`);
      return;
    }
    result.tokens.push(token);
  }
}

/** What of the acknowledged is not there exactly once. */
async function verify(storm: StormyBoard, engine: EngineKind, tokens: readonly string[]): Promise<string[]> {
  const project = storm.projects.get(engine);
  const rows = await eventually(
    async () => {
      const reply = await fetch(`${project?.url}/rest/v1/written?select=token&limit=1000000`, {
        headers: { apikey: project?.keys.service ?? '' },
      });
      return reply.status === 200 && ((await reply.json()) as { token: string }[]); // what the writers wrote
    },
    `reading ${engine} after the storm`,
    60_000,
  );
  const seen = new Map<string, number>();
  for (const { token } of rows) seen.set(token, (seen.get(token) ?? 0) + 1);
  const lost = tokens.filter((token) => !seen.has(token));
  const doubled = [...seen].filter(([, times]) => times > 1);
  return [
    ...lost.map((token) => `${engine}: ${token} was acknowledged and is lost`),
    ...doubled.map(([token, times]) => `${engine}: ${token} is there ${times} times`),
  ];
}

/**
 * Writers with idempotency keys on every engine, while servers and the board are killed and actors crash, one fault after
 * the other by a seed. In the end every acknowledged write is there once, and nothing is there twice.
 */
export async function stormEngines(minutes: number, seed: number): Promise<EngineStorm> {
  const storm = await StormyBoard.start(seed);
  const until = performance.now() + minutes * 60_000;
  let raging = true;
  const acknowledged: Record<string, number> = {};
  const wrong: string[] = [];
  try {
    const results = [...storm.projects.keys()].map((engine) => ({ engine, tokens: [] as string[], wrong }));
    const writers = results.flatMap((result) =>
      Array.from({ length: WRITERS }, (_, writer) =>
        write(storm, result.engine, writer, () => raging, result),
      ),
    );
    while (performance.now() < until && wrong.length === 0) {
      await storm.fault();
      await sleep(700);
    }
    raging = false;
    await Promise.all(writers);
    for (const { engine, tokens } of results) {
      acknowledged[engine] = tokens.length;
      wrong.push(...(await verify(storm, engine, tokens)));
    }
  } finally {
    raging = false;
    await storm.board.stop();
  }
  return { faults: storm.faults, acknowledged, wrong };
}
