import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActorNode } from '../../src/protocol/actor-node.ts';
import type { ProjectView } from '../../src/protocol/project.ts';

const MAG = resolve(import.meta.dirname, '../../bin/mag.ts');
export const ADMIN_KEY = 'test-admin-key-0123456789-abcdefghij';

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A project with its keys, as its creation replies. */
export type NewProject = ProjectView & { readonly keys: { readonly anon: string; readonly service: string } };

/** A real board, in its own process and data folder, on a free port. */
export interface TestBoard {
  readonly url: string;
  readonly pid: number;
  readonly folder: string;
  readonly output: () => string;
  readonly exited: Promise<Exit>;
  admin<Reply = unknown>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Reply; headers: Headers }>;
  createProject(name: string, engine?: string): Promise<NewProject>;
  sql(
    project: NewProject,
    query: string,
    params?: readonly unknown[],
  ): Promise<{ status: number; body: SqlReply }>;
  tree(): Promise<ActorNode>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, wait, remove the folder unless it is kept. */
  stop(options?: { readonly keep?: boolean }): Promise<Exit>;
}

export interface SqlReply {
  readonly rows: readonly Record<string, unknown>[];
  readonly fields: readonly { readonly name: string; readonly type: string }[];
  readonly rowCount: number;
  readonly command: string;
  readonly code?: string;
  readonly message?: string;
}

export interface BoardOptions {
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

export interface StartedProcess {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<Exit>;
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'mag-board-'));

/** Starts `mag start` without waiting for anything. */
export function launch(folder: string, options: BoardOptions = {}): StartedProcess {
  const child = spawn(process.execPath, [MAG, 'start', ...(options.args ?? [])], {
    env: { ...process.env, MAG_DATA_DIR: folder, MAG_PORT: '0', MAG_ADMIN_KEY: ADMIN_KEY, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test that fails half-way leaves no board behind: this one drains by itself after we are gone.
  const end = (): void => void child.kill('SIGTERM');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-200_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const exited = new Promise<Exit>((done) => child.once('exit', (code, signal) => done({ code, signal })));
  return { child, output: () => output, exited };
}

/** Starts a board and waits until it is ready; throws with its output when it ends instead. */
export async function startTestBoard(options: BoardOptions = {}): Promise<TestBoard> {
  const folder = options.folder ?? temporaryFolder();
  const { child, output, exited } = launch(folder, options);
  const url = await readyUrl(folder, child, output);
  const request = async <Reply>(
    method: string,
    path: string,
    body?: unknown,
    key = ADMIN_KEY,
  ): Promise<{ status: number; body: Reply; headers: Headers }> => {
    const reply = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        apikey: key,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return {
      status: reply.status,
      body: (text === '' ? null : JSON.parse(text)) as Reply,
      headers: reply.headers,
    };
  };
  return {
    url,
    pid: child.pid ?? 0,
    folder,
    output,
    exited,
    admin: request,
    createProject: async (name, engine = 'sqlite') => {
      const made = await request<NewProject>('POST', '/admin/v1/projects', { name, engine });
      if (made.status !== 201)
        throw new Error(`project ${name}: ${made.status} ${JSON.stringify(made.body)}`);
      return made.body;
    },
    sql: (project, query, params) =>
      request<SqlReply>(
        'POST',
        `/p/${project.ref}/sql/v1`,
        { query, ...(params === undefined ? {} : { params }) },
        project.keys.service,
      ),
    tree: async () => (await request<ActorNode>('GET', '/admin/v1/actors')).body,
    kill: (signal) => child.kill(signal),
    stop: async ({ keep = false } = {}) => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const exit = await exited;
      if (!keep) rmSync(folder, { recursive: true, force: true });
      return exit;
    },
  };
}

async function readyUrl(folder: string, child: ChildProcess, output: () => string): Promise<string> {
  const file = join(folder, 'run/board.json');
  for (let tries = 0; tries < 1_200; tries += 1) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the board ended with ${child.exitCode}:\n${output()}`);
    if (existsSync(file)) {
      const board = JSON.parse(readFileSync(file, 'utf8')) as { url: string; pid: number }; // contracts: run/board.json
      // A file left by a killed board names another pid.
      if (board.pid === child.pid) return board.url;
    }
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`the board was not ready within 60 s:\n${output()}`);
}

/** The process of a server that the board runs, by its kind in `run/children.json`. */
export function childPid(board: TestBoard, kind: string): number {
  const text = readFileSync(join(board.folder, 'run/children.json'), 'utf8');
  const children = JSON.parse(text) as { kind: string; pid: number }[]; // written by the board
  const found = children.find((child) => child.kind === kind);
  if (found === undefined) throw new Error(`the board runs no ${kind}: ${text}`);
  return found.pid;
}

/** The node at a path of the tree, or undefined. */
export function findNode(tree: ActorNode, path: string): ActorNode | undefined {
  if (tree.path === path) return tree;
  for (const child of tree.children) {
    const found = findNode(child, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Polls until the probe gives something; throws with the last thing it saw. */
export async function eventually<T>(
  probe: () => Promise<T | undefined | false | null>,
  what: string,
  withinMs = 20_000,
): Promise<T> {
  const end = Date.now() + withinMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false && value !== null) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    await sleep(30);
  }
  throw new Error(`${what} did not happen within ${withinMs} ms; last: ${String(last)}`);
}
