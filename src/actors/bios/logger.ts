import { pino } from 'pino';
import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { LogLevel } from './settings.ts';

export interface Logger {
  readonly log: Log;
  /** Resolves when what was logged is written, or its reader takes too long; await it before the process exits. */
  flush(): Promise<void>;
  /** Lines lost because the reader of stdout was too slow. */
  dropped(): number;
}

/** Keys that must never reach a log, wherever an object carries them at its first two levels. */
const SECRET_FIELDS = ['password', 'adminKey', 'masterKey', 'connection', 'keys', 'authorization', 'apikey'];

const OPTIONS = {
  base: null,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (level: string) => ({ level }) },
  redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '…' },
};

/** JSON lines on a file descriptor, written without blocking the event loop; beyond the bound lines are dropped. */
export function jsonLogger(level: LogLevel, host: Host, descriptor = 1): Logger {
  let dropped = 0;
  let isWritten = true;
  const stream = pino.destination({ dest: descriptor, sync: false, maxLength: LIMITS.logBufferBytes });
  stream.on('drop', () => {
    dropped += 1;
  });
  stream.on('drain', () => {
    isWritten = true;
  });
  const write = (line: string): void => {
    isWritten = false;
    stream.write(line);
  };
  // A synchronous flush would overtake the write that is under way.
  const flush = (): Promise<void> =>
    new Promise((resolve) => {
      if (isWritten) {
        resolve();
        return;
      }
      const limit = host.setTimer(LIMITS.logFlushMs, resolve);
      stream.once('drain', () => {
        host.clearTimer(limit);
        resolve();
      });
    });
  return { log: pino({ ...OPTIONS, level }, { write }), flush, dropped: () => dropped };
}

const COLOURS: Readonly<Record<string, string>> = { debug: '90', info: '36', warn: '33', error: '31' };

/** `08:15:42 warn  message  field=value`: a JSON line as a person reads it. */
export function prettyLine(json: string): string {
  const { level, time, msg, ...fields }: Record<string, unknown> = JSON.parse(json);
  const name = String(level);
  const rest = Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const clock = String(time).slice(11, 19);
  const label = `\u001b[${COLOURS[name] ?? '0'}m${name.padEnd(5)}\u001b[0m`;
  return `\u001b[90m${clock}\u001b[0m ${label} ${String(msg)}${rest === '' ? '' : `  \u001b[90m${rest}\u001b[0m`}\n`;
}

/** For a terminal. Its writes go through `write` in the same turn, so there is nothing to flush. */
export function terminalLogger(level: LogLevel, write: (text: string) => void): Logger {
  const log = pino({ ...OPTIONS, level }, { write: (line: string) => write(prettyLine(line)) });
  return { log, flush: () => Promise.resolve(), dropped: () => 0 };
}
