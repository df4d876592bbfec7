import { MagError } from '../errors.ts';
import { parseExact, stringifyExact } from '../protocol/exact-json.ts';
import type { JsonValue, Row } from '../protocol/query.ts';
import { type Command, EXIT } from './command.ts';
import { BOARD_HELP, BOARD_OPTIONS, parseOptions, positionals } from './options.ts';
import { connectProject } from './project-client.ts';
import { renderTable } from './table.ts';

interface SqlReply {
  readonly rows: readonly Row[];
  readonly fields: readonly { readonly name: string }[];
  readonly rowCount: number;
  readonly command: string;
}

function parseParams(text: string): readonly JsonValue[] {
  let params: JsonValue | undefined;
  try {
    params = parseExact(text);
  } catch {
    params = undefined;
  }
  if (Array.isArray(params)) return params;
  throw new MagError('MAG_USAGE', { problem: `--params takes a JSON list, as '[1, "two"]'` });
}

export const command: Command = {
  help: `mag sql REF 'SELECT …' [--params '[1, "two"]']

Runs one statement in a project's database, under the project's own role.

      --params P   values for the statement's placeholders, as a JSON list
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const options = { ...BOARD_OPTIONS, params: { type: 'string', default: '[]' } } as const;
    const { values, positionals: given } = parseOptions(args, options);
    const [ref, query] = positionals(given, 'REF', 'the statement');
    const params = parseParams(values.params);
    const project = await connectProject(values, terminal, ref);
    const body = { query, params };
    // The outside contract's shape.
    const reply = (await project.request('/sql/v1', { method: 'POST', body })) as SqlReply;
    if (values.json) terminal.out(`${stringifyExact(reply)}\n`);
    else {
      const names = reply.fields.map((field) => field.name);
      const rows = reply.rows.map((row) => names.map((name) => row[name]));
      if (names.length > 0) terminal.out(renderTable(names, rows));
      terminal.out(`${reply.command} ${reply.rowCount}\n`);
    }
    return EXIT.ok;
  },
};
