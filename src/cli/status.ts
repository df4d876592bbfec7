import type { BoardStatus } from '../protocol/board-status.ts';
import { connectBoard } from './board-client.ts';
import { type Command, EXIT } from './command.ts';
import { BOARD_HELP, BOARD_OPTIONS, parseOptions, positionals } from './options.ts';
import { renderTable } from './table.ts';

const UNAVAILABLE = 503;

export const command: Command = {
  help: `mag status [options]

Shows whether the board is ready, and the health of each component. Exits 0 when it serves, 3 when it does not.
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const { values, positionals: given } = parseOptions(args, BOARD_OPTIONS);
    positionals(given);
    const board = connectBoard(values, terminal, { needsKey: false });
    // The board's own status route always has this shape.
    const status = (await board.request('/readyz', { accept: [UNAVAILABLE] })) as BoardStatus;
    if (values.json) terminal.out(`${JSON.stringify({ url: board.url, ...status })}\n`);
    else {
      const stage = status.status === 'booting' ? ` (${status.stage})` : '';
      const rows = status.components.map(({ name, stage: at, status: is, detail }) => [name, at, is, detail]);
      terminal.out(`${board.url} is ${status.status}${stage}\n\n`);
      terminal.out(renderTable(['component', 'stage', 'status', 'detail'], rows));
    }
    return status.status === 'ready' || status.status === 'degraded' ? EXIT.ok : EXIT.bootFailed;
  },
};
