import { relative, resolve } from 'node:path';
import { MagError } from '../errors.ts';
import { type Command, EXIT, type Terminal } from './command.ts';
import { newMigration, readMigrations } from './data/migration-files.ts';
import { Migrator } from './data/migrator.ts';
import { BOARD_HELP, BOARD_OPTIONS, parseOptions, positionals } from './options.ts';
import { connectProject } from './project-client.ts';
import { renderTable } from './table.ts';

interface Call {
  readonly values: {
    readonly dir: string;
    readonly json: boolean;
    readonly url?: string | undefined;
    readonly key?: string | undefined;
  };
  readonly given: readonly string[];
  readonly terminal: Terminal;
}

async function migrator({ values, given, terminal }: Call): Promise<Migrator> {
  const [ref] = positionals(given, 'REF');
  const files = readMigrations(resolve(terminal.cwd, values.dir));
  return new Migrator(await connectProject(values, terminal, ref), files);
}

const ACTIONS: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  new: async ({ values, given, terminal }) => {
    const [name] = positionals(given, 'NAME');
    const path = relative(terminal.cwd, newMigration(resolve(terminal.cwd, values.dir), name));
    terminal.out(values.json ? `${JSON.stringify({ path })}\n` : `${path}\n`);
  },
  up: async (call) => {
    const { values, terminal } = call;
    const applied: string[] = [];
    await (await migrator(call)).up(({ version, name }) => {
      applied.push(`${version}_${name}`);
      if (!values.json) terminal.out(`applied ${version}_${name}\n`);
    });
    if (values.json) terminal.out(`${JSON.stringify({ applied })}\n`);
    else if (applied.length === 0) terminal.out('nothing to apply\n');
  },
  status: async (call) => {
    const states = await (await migrator(call)).status();
    const rows = states.map(({ version, name, state, appliedAt }) => [version, name, state, appliedAt ?? '']);
    const table = renderTable(['version', 'name', 'state', 'applied at'], rows);
    call.terminal.out(call.values.json ? `${JSON.stringify(states)}\n` : table);
  },
};

export const command: Command = {
  help: `mag migrate new NAME | up REF | status REF [--dir migrations]

Numbered SQL files, NUMBER_name.sql, each applied once and in order.

  new NAME         makes the next file
  up REF           applies to the project what it does not have yet, each file in one transaction
  status REF       which are applied, pending, or changed since
      --dir D      the folder of the files; default migrations

A file that begins with the line "-- no transaction" runs outside one. On MySQL every file does: its DDL commits by
itself.
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const options = { ...BOARD_OPTIONS, dir: { type: 'string', default: 'migrations' } } as const;
    const {
      values,
      positionals: [name, ...given],
    } = parseOptions(args, options);
    const action = name !== undefined && Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (action === undefined) {
      const problem = `mag migrate knows ${Object.keys(ACTIONS).join(', ')}${name === undefined ? '' : `, not ${name}`}`;
      throw new MagError('MAG_USAGE', { problem });
    }
    await action({ values, given, terminal });
    return EXIT.ok;
  },
};
