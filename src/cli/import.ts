import { type Command, EXIT } from './command.ts';
import { importTable } from './data/importer.ts';
import { formatOf } from './data/rows-format.ts';
import { BOARD_HELP, parseOptions, positionals } from './options.ts';
import { connectProject } from './project-client.ts';
import { batchOf, fileOf, progressLine, sayDone, TRANSFER_OPTIONS } from './transfer.ts';

export const command: Command = {
  help: `mag import REF TABLE FILE [--format csv|jsonl] [--batch 500] [--upsert [COLUMNS]] [--resume]

Writes a file's rows into a table, each batch in one transaction. A column that a row does not have gets its default;
in CSV an empty cell is NULL, and "" an empty text.

      --format F   default: by the file's name
      --batch N    rows in one request
      --upsert C   writes over rows that are there already, by these columns; by the primary key with --upsert=
      --resume     goes on where an import that was cut off has stopped; no row is written twice. Without it one
                   that was cut off is refused: FILE.mag-import.json says how far it was
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const options = { ...TRANSFER_OPTIONS, upsert: { type: 'string' } } as const;
    const { values, positionals: given } = parseOptions(args, options);
    const [ref, table, name] = positionals(given, 'REF', 'TABLE', 'FILE');
    const format = formatOf(values.format, name);
    const batch = batchOf(values.batch);
    const file = fileOf(terminal, name);
    const project = await connectProject(values, terminal, ref);
    const progress = progressLine(terminal, values.json);
    const { resume, upsert = null } = values;
    const rows = await importTable({ project, table, file, format, batch, upsert, resume, progress });
    sayDone(terminal, values.json, 'read from', rows, name);
    return EXIT.ok;
  },
};
