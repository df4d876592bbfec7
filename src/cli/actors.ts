import { MagError } from '../errors.ts';
import type { ActorNode } from '../protocol/actor-node.ts';
import { renderTree } from './actor-tree.ts';
import { connectBoard } from './board-client.ts';
import { type Command, EXIT } from './command.ts';
import { BOARD_HELP, BOARD_OPTIONS, parseOptions, positionals } from './options.ts';

const ACTORS = '/admin/v1/actors';
const COMMANDS: Readonly<Record<string, string>> = { crash: 'crashed', restart: 'restarted' };

const pathOf = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

export const command: Command = {
  help: `mag actors ls | crash PATH [--reason TEXT] | restart PATH [--reason TEXT]

  ls               draws the tree of actors with their state and restarts
  crash PATH       crashes an actor on purpose; its supervisor brings it back
  restart PATH     stops an actor in good order and starts it again
      --reason T   stands in the audit trail and in the actor's last error
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const options = {
      ...BOARD_OPTIONS,
      reason: { type: 'string', default: 'asked for at the command line' },
    } as const;
    const {
      values,
      positionals: [action, ...given],
    } = parseOptions(args, options);
    const done = action === undefined ? undefined : COMMANDS[action];
    if (action !== 'ls' && done === undefined) {
      const problem = `mag actors knows ls, crash, restart${action === undefined ? '' : `, not ${action}`}`;
      throw new MagError('MAG_USAGE', { problem });
    }
    const [path] = done === undefined ? positionals(given) : positionals(given, 'PATH');
    const board = connectBoard(values, terminal);
    if (path === undefined) {
      // The admin API's tree has this shape.
      const tree = (await board.request(ACTORS)) as ActorNode;
      terminal.out(values.json ? `${JSON.stringify(tree)}\n` : renderTree(tree));
    } else {
      await board.request(`${ACTORS}/${pathOf(path)}/${action}`, {
        method: 'POST',
        body: { reason: values.reason },
      });
      terminal.out(values.json ? `${JSON.stringify({ path, [done ?? '']: true })}\n` : `${path} ${done}\n`);
    }
    return EXIT.ok;
  },
};
