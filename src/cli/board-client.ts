import { resolve } from 'node:path';
import { readBoardFile } from '../actors/bios/board-file.ts';
import { readConfig } from '../actors/bios/config.ts';
import { describeError, type ErrorBody, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { parseExact, stringifyExact } from '../protocol/exact-json.ts';
import type { Host } from '../runtime/host.ts';
import { nodeHost } from '../runtime/host-node.ts';
import type { Terminal } from './command.ts';

/** The board answered with an error; what it said is shown as it is. */
class RefusedError extends Error {
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(body.message);
    this.body = body;
  }
}

interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  /** Headers in place of the admin key's. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses beside 2xx that are an answer and no error. */
  readonly accept?: readonly number[];
}

export interface BoardClient {
  readonly url: string;
  /** The reply's JSON, null where it has none. Throws RefusedError, or MAG_BOARD_NOT_FOUND where nobody answers. */
  request(path: string, options?: RequestOptions): Promise<unknown>;
}

/** Where the board is: --url, else MAG_URL, else what run/board.json of the data folder says. */
function findBoard(given: string | undefined, { env, cwd }: Terminal): string {
  const url = given ?? (env.MAG_URL || undefined);
  if (url !== undefined) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new MagError('MAG_USAGE', { problem: `${url} is no http URL` });
    }
    return url.replace(/\/+$/, '');
  }
  // The configuration file may name the data folder, too; a configuration that is wrong is `mag start`'s affair.
  const settled = readConfig({ args: [], env, cwd });
  const folder = settled.ok ? settled.config.dataDir : resolve(cwd, env.MAG_DATA_DIR || '.magmobo');
  const board = readBoardFile(folder);
  if (board === null) throw new MagError('MAG_BOARD_NOT_FOUND', { where: folder });
  return board.url;
}

function isErrorBody(value: unknown): value is ErrorBody {
  return typeof value === 'object' && value !== null && 'code' in value && 'message' in value;
}

function refusal(status: number, reply: unknown, path: string): RefusedError {
  if (isErrorBody(reply)) return new RefusedError(reply);
  const message = `The board answered ${path} with HTTP status ${status}`;
  return new RefusedError({ code: 'MAG_INTERNAL', message, details: null, hint: null });
}

/**
 * Finds the board and its admin key. `needsKey: false` for what anybody may ask. Throws MAG_BOARD_NOT_FOUND, or
 * MAG_USAGE where no key was given.
 */
export function connectBoard(
  given: { readonly url?: string | undefined; readonly key?: string | undefined },
  terminal: Terminal,
  { needsKey = true }: { readonly needsKey?: boolean } = {},
): BoardClient {
  const url = findBoard(given.url, terminal);
  const key = given.key ?? (terminal.env.MAG_ADMIN_KEY || undefined);
  if (key === undefined && needsKey) {
    throw new MagError('MAG_USAGE', { problem: 'The admin key is missing: set MAG_ADMIN_KEY or give --key' });
  }
  const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const host = nodeHost();
  return {
    url,
    request: async (path, { method = 'GET', body, headers = authorization, accept = [] } = {}) => {
      const { status, text } = await exchange(host, `${url}${path}`, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: stringifyExact(body) }),
      });
      const reply = parseReply(text);
      if ((status < 200 || status > 299) && !accept.includes(status)) throw refusal(status, reply, path);
      return reply;
    },
  };
}

/** One request and its whole reply, within the limit. */
async function exchange(
  host: Host,
  url: string,
  init: RequestInit,
): Promise<{ status: number; text: string }> {
  const late = new AbortController();
  const timer = host.setTimer(LIMITS.cliTimeoutMs, () => late.abort(new Error('no answer in time')));
  try {
    const response = await fetch(url, { ...init, signal: late.signal });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const details = describeError(error);
    throw new MagError('MAG_BOARD_NOT_FOUND', { where: url }, { cause: error, details });
  } finally {
    host.clearTimer(timer);
  }
}

function parseReply(text: string): unknown {
  if (text === '') return null;
  try {
    return parseExact(text);
  } catch {
    return text;
  }
}
