import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { describeError, MagError } from '../errors.ts';

/** Options that every command which talks to a board understands. */
export const BOARD_OPTIONS = {
  url: { type: 'string' },
  key: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const satisfies ParseArgsOptionsConfig;

export const BOARD_HELP = `
      --url URL    the board; default: MAG_URL, else the one of MAG_DATA_DIR (./.magmobo)
      --key KEY    its admin key; default: MAG_ADMIN_KEY
      --json       machine-readable output
      --help       this text
`;

/** parseArgs, whose complaints become MAG_USAGE. */
export function parseOptions<Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new MagError('MAG_USAGE', { problem: describeError(error) }, { cause: error });
  }
}

/** Exactly the arguments that are named, or MAG_USAGE that names the first one missing or too many. */
export function positionals<const Names extends readonly string[]>(
  given: readonly string[],
  ...names: Names
): { readonly [Index in keyof Names]: string } {
  const missing = names[given.length];
  if (missing !== undefined) throw new MagError('MAG_USAGE', { problem: `${missing} is missing` });
  if (given.length > names.length) {
    throw new MagError('MAG_USAGE', { problem: `${given[names.length]} is one argument too many` });
  }
  // As many as there are names, all of them texts.
  return given as unknown as { readonly [Index in keyof Names]: string };
}
