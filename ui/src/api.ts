import type { ActorCommand } from '../../src/protocol/actor-node.ts';
import type { BoardStatus } from '../../src/protocol/board-status.ts';
import type { EngineAvailability, EngineKind, ProjectView } from '../../src/protocol/project.ts';

/** An error as the board words it: `{code, message, details, hint}`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  readonly status: number;
  readonly hint: string | null;

  constructor(status: number, code: string, message: string, hint: string | null) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** The address of a route below the folder that this page lies in. */
export const address = (path: string): URL => new URL(path, document.baseURI);

const textOf = (value: unknown, key: string): string | null => {
  if (value === null || typeof value !== 'object' || !(key in value)) return null;
  const field: unknown = Reflect.get(value, key);
  return typeof field === 'string' ? field : null;
};

async function call(method: string, path: string, body?: object): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(address(path), {
      method,
      credentials: 'same-origin',
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'OFFLINE', 'The board does not answer.', 'It may be restarting; try again.');
  }
  const text = await response.text();
  let parsed: unknown = null;
  try {
    parsed = text === '' ? null : JSON.parse(text);
  } catch {
    // A proxy's HTML page, say: the status below says what happened.
  }
  if (response.ok) return parsed;
  throw new ApiError(
    response.status,
    textOf(parsed, 'code') ?? `HTTP ${response.status}`,
    textOf(parsed, 'message') ?? response.statusText,
    textOf(parsed, 'hint'),
  );
}

/** How an edge worker is crashed: by an error, by leaving its thread, or by a loop that never ends. */
export type Fault = 'throw' | 'exit' | 'spin';

export interface Order {
  readonly reason: string;
  /** Default throw; the others are for edge workers. */
  readonly fault?: Fault;
}

const inPath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** The admin API. Replies have the shapes of src/protocol, which the board's own tests hold it to. */
export const api = {
  signIn: (credential: { key: string } | { ticket: string }): Promise<unknown> =>
    call('POST', 'admin/v1/session', credential),
  signOut: (): Promise<unknown> => call('DELETE', 'admin/v1/session'),
  status: (): Promise<BoardStatus> => call('GET', 'livez') as Promise<BoardStatus>,
  command: (path: string, command: ActorCommand, order: Order): Promise<unknown> =>
    call('POST', `admin/v1/actors/${inPath(path)}/${command}`, order),
  projects: (): Promise<readonly ProjectView[]> =>
    call('GET', 'admin/v1/projects') as Promise<readonly ProjectView[]>,
  engines: (): Promise<readonly EngineAvailability[]> =>
    call('GET', 'admin/v1/engines') as Promise<readonly EngineAvailability[]>,
  createProject: (name: string, engine: EngineKind): Promise<ProjectView> =>
    call('POST', 'admin/v1/projects', { name, engine }) as Promise<ProjectView>,
  deleteProject: (ref: string): Promise<unknown> =>
    call('DELETE', `admin/v1/projects/${encodeURIComponent(ref)}`),
};
