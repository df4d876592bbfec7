import { resolve } from 'node:path';
import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Terminal } from './command.ts';
import { BOARD_OPTIONS } from './options.ts';

/** What `mag import` and `mag export` have in common. */
export const TRANSFER_OPTIONS = {
  ...BOARD_OPTIONS,
  format: { type: 'string' },
  batch: { type: 'string', default: '500' },
  resume: { type: 'boolean', default: false },
} as const;

/** Rows in one request. Throws MAG_USAGE. */
export function batchOf(text: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= LIMITS.transferRows) return value;
  const problem = `--batch takes a whole number from 1 to ${LIMITS.transferRows}`;
  throw new MagError('MAG_USAGE', { problem });
}

export const fileOf = (terminal: Terminal, name: string): string => resolve(terminal.cwd, name);

/** A line that a person watches grow; nothing where a program reads. */
export const progressLine =
  (terminal: Terminal, json: boolean) =>
  (rows: number): void => {
    if (terminal.interactive && !json) terminal.err(`\r${rows} rows`);
  };

/** Says what was done, behind the progress. */
export function sayDone(terminal: Terminal, json: boolean, what: string, rows: number, file: string): void {
  if (terminal.interactive && !json) terminal.err('\r');
  terminal.out(json ? `${JSON.stringify({ rows, file })}\n` : `${rows} rows ${what} ${file}\n`);
}
