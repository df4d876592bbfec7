import { type Command, EXIT } from './command.ts';
import { exportTable } from './data/exporter.ts';
import { formatOf } from './data/rows-format.ts';
import { BOARD_HELP, parseOptions, positionals } from './options.ts';
import { connectProject } from './project-client.ts';
import { batchOf, fileOf, progressLine, sayDone, TRANSFER_OPTIONS } from './transfer.ts';

export const command: Command = {
  help: `mag export REF TABLE FILE [--format csv|jsonl] [--batch 500] [--resume]

Writes a table with a primary key into a file, page by page.

      --format F   default: by the file's name
      --batch N    rows in one request
      --resume     goes on where an export that was cut off has stopped
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const { values, positionals: given } = parseOptions(args, TRANSFER_OPTIONS);
    const [ref, table, name] = positionals(given, 'REF', 'TABLE', 'FILE');
    const format = formatOf(values.format, name);
    const page = batchOf(values.batch);
    const file = fileOf(terminal, name);
    const project = await connectProject(values, terminal, ref);
    const progress = progressLine(terminal, values.json);
    const rows = await exportTable({ project, table, file, format, page, resume: values.resume, progress });
    sayDone(terminal, values.json, 'written to', rows, name);
    return EXIT.ok;
  },
};
