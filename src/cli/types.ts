import { type Command, EXIT } from './command.ts';
import { databaseTypes, type ProjectSchema } from './data/database-types.ts';
import { BOARD_HELP, BOARD_OPTIONS, parseOptions, positionals } from './options.ts';
import { connectProject } from './project-client.ts';

export const command: Command = {
  help: `mag types REF > database.types.ts

Writes the TypeScript types of a project's tables, views and functions, for createClient<Database>(…) of supabase-js.
With --json the schema itself.
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const { values, positionals: given } = parseOptions(args, BOARD_OPTIONS);
    const [ref] = positionals(given, 'REF');
    const project = await connectProject(values, terminal, ref);
    // The route gives this shape.
    const schema = (await project.request('/schema/v1')) as ProjectSchema;
    terminal.out(values.json ? `${JSON.stringify(schema)}\n` : databaseTypes(schema));
    return EXIT.ok;
  },
};
