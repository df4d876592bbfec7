import type { Board, StartBoardOptions } from './actors/bios/board-handle.ts';
import type { Config } from './actors/bios/config.ts';
import { MagError } from './errors.ts';

/** Boots a board. Rejects with MAG_BOOT_FAILED. */
export async function startBoard(_config: Config, _options: StartBoardOptions): Promise<Board> {
  throw new MagError('MAG_BOOT_FAILED', {
    stage: 'self_test',
    component: 'board',
    cause: 'its components are not composed yet',
  });
}
