import type { ProjectView } from '../protocol/project.ts';
import { type BoardClient, connectBoard } from './board-client.ts';
import type { Terminal } from './command.ts';

/** One project through its own API, with its service key. */
export interface ProjectClient {
  readonly ref: string;
  readonly engine: ProjectView['engine'];
  /** `path` is below /p/REF. See BoardClient.request. */
  request(path: string, options?: ProjectRequest): Promise<unknown>;
}

export interface ProjectRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks the board for the project's service key. Throws as connectBoard and BoardClient.request do. */
export async function connectProject(
  given: { readonly url?: string | undefined; readonly key?: string | undefined },
  terminal: Terminal,
  ref: string,
): Promise<ProjectClient> {
  const board: BoardClient = connectBoard(given, terminal);
  const path = encodeURIComponent(ref);
  // The admin API's reply has this shape.
  const { keys, engine } = (await board.request(`/admin/v1/projects/${path}/keys`)) as ProjectView;
  const key = { apikey: keys?.service ?? '' };
  return {
    ref,
    engine,
    request: (below, { headers, ...rest } = {}) =>
      board.request(`/p/${path}${below}`, { ...rest, headers: { ...headers, ...key } }),
  };
}
