import { describeError, type ErrorBody, errorBody, isPublicError } from '../errors.ts';
import { EXIT, type Terminal } from './command.ts';

const USAGE_CODES: readonly string[] = [
  'MAG_USAGE',
  'MAG_CONFIG_INVALID',
  'MAG_CONFIG_UNKNOWN',
  'MAG_BOARD_NOT_FOUND',
];

/** Codes of the error and of its causes, outermost first. */
function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  for (let current = error; current instanceof Error && codes.length < 8; current = current.cause) {
    codes.push(isPublicError(current) ? current.code : '');
  }
  return codes;
}

/** The exit code that the error, or what caused it, asks for; `otherwise` where none does. */
export function exitCodeOf(error: unknown, otherwise: number): number {
  const codes = codesOf(error);
  if (codes.includes('MAG_DATA_LOCKED')) return EXIT.dataLocked;
  return codes.some((code) => USAGE_CODES.includes(code)) ? EXIT.usage : otherwise;
}

function bodyOf(error: unknown): ErrorBody {
  if (isPublicError(error)) return errorBody(error);
  // A refusal (board-client.ts) carries the body that the board sent.
  if (error instanceof Error && 'body' in error) return error.body as ErrorBody;
  return { code: 'MAG_INTERNAL', message: describeError(error), details: null, hint: null };
}

/** Tells an error on stderr: as a sentence and what to do about it, or as JSON. */
export function report(error: unknown, json: boolean, terminal: Terminal): void {
  const body = bodyOf(error);
  if (json) terminal.err(`${JSON.stringify(body)}\n`);
  else {
    const more = [body.details, body.hint].filter((text) => text !== null);
    terminal.err(`mag: ${[body.message, ...more].join('\n  ')}\n`);
  }
}
