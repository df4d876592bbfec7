import { MagError } from '../errors.ts';
import { type Command, EXIT, type Terminal } from './command.ts';
import { exitCodeOf, report } from './report.ts';

/** Loaded when called: `mag status` must not pay for the board. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  start: () => import('./start.ts'),
  status: () => import('./status.ts'),
  project: () => import('./project.ts'),
  sql: () => import('./sql.ts'),
  migrate: () => import('./migrate.ts'),
  types: () => import('./types.ts'),
  import: () => import('./import.ts'),
  export: () => import('./export.ts'),
  actors: () => import('./actors.ts'),
};

const HELP = `mag COMMAND [options]

  start      boots a board in this folder and runs until it is stopped
  status     whether the board is ready, and each component's health
  project    create NAME | ls | rm REF | keys REF
  sql        REF 'SELECT …'
  migrate    new NAME | up REF | status REF
  types      REF
  import     REF TABLE FILE
  export     REF TABLE FILE
  actors     ls | crash PATH | restart PATH

mag COMMAND --help says more; mag --version says which this is. Exit codes: 0 done, 1 the board refused,
2 wrong usage or configuration, 3 boot failed or not ready, 4 the data folder is held by another board.
`;

const processTerminal = (): Terminal => ({
  env: process.env,
  cwd: process.cwd(),
  interactive: process.stdout.isTTY === true,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
});

/** Runs `mag` with its arguments. Returns the exit code, and never throws. */
export async function main(args: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    (name === undefined ? terminal.err : terminal.out)(HELP);
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  if (name === '--version' || name === '-v') {
    const { version } = await import('../board/version.ts');
    terminal.out(`${version()}\n`);
    return EXIT.ok;
  }
  try {
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (load === undefined) {
      const { nearest } = await import('../actors/bios/nearest.ts');
      const problem = `There is no command ${name}; did you mean ${nearest(name, Object.keys(COMMANDS))}?`;
      throw new MagError('MAG_USAGE', { problem });
    }
    const { command } = await load();
    if (rest.includes('--help') || rest.includes('-h')) {
      terminal.out(command.help);
      return EXIT.ok;
    }
    return await command.run(rest, terminal);
  } catch (error) {
    report(error, rest.includes('--json'), terminal);
    return exitCodeOf(error, EXIT.refused);
  }
}
