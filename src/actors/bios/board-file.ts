import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replacePrivateFile } from './private-file.ts';

/** `run/board.json`: there from readiness to clean stop, for scripts and the command line. */
export interface BoardFile {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
}

const pathIn = (dataDir: string): string => join(dataDir, 'run', 'board.json');

export function writeBoardFile(dataDir: string, board: BoardFile): void {
  replacePrivateFile(pathIn(dataDir), `${JSON.stringify(board, null, 2)}\n`);
}

export function removeBoardFile(dataDir: string): void {
  rmSync(pathIn(dataDir), { force: true });
}

/** Null where no board wrote one, or what is there is not one. It may be a killed board's: ask it to be sure. */
export function readBoardFile(dataDir: string): BoardFile | null {
  try {
    const board: unknown = JSON.parse(readFileSync(pathIn(dataDir), 'utf8'));
    const shaped =
      typeof board === 'object' &&
      board !== null &&
      'url' in board &&
      typeof board.url === 'string' &&
      'pid' in board &&
      typeof board.pid === 'number';
    // Written by writeBoardFile in one piece, and its two telling fields were looked at.
    return shaped ? (board as BoardFile) : null;
  } catch {
    return null;
  }
}

/** How a client reaches what listens on this address: a wildcard is no address to connect to. */
export function boardUrl(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
