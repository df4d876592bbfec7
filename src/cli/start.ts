import type { Board } from '../actors/bios/board-handle.ts';
import { readConfig } from '../actors/bios/config.ts';
import { CONFIG_FILE, type Config, SETTING_KEYS, SETTINGS } from '../actors/bios/settings.ts';
import { describeError, MagError } from '../errors.ts';
import type { Host } from '../runtime/host.ts';
import { nodeHost } from '../runtime/host-node.ts';
import { openModuleCache } from '../runtime/module-cache.ts';
import { type Command, EXIT, type Terminal } from './command.ts';
import { freshPage } from './fresh-page.ts';
import { exitCodeOf, report } from './report.ts';
import { stopSignals } from './stop-signals.ts';

/** What a shell calls a process that Ctrl-C ended. */
const FORCED = 130;
/** Kept back from MAG_DRAIN_SECONDS, so that the process is really gone when they are over. */
const EXIT_MARGIN_MS = 250;

function settingLines(): string {
  const lines = [
    ...SETTING_KEYS.map((key) => SETTINGS[key]),
    { ...CONFIG_FILE, doc: 'Configuration file, read if present.', shown: CONFIG_FILE.fallback },
  ];
  return lines
    .map(({ flag, env, doc, shown }) => `      --${flag.padEnd(16)} ${env.padEnd(20)} ${doc} [${shown}]`)
    .join('\n');
}

/** Asks the board to stop, and waits for it no longer than the operator allowed. */
async function drain(
  board: Board,
  reason: string,
  config: Config,
  host: Host,
  terminal: Terminal,
): Promise<void> {
  const late = Promise.withResolvers<'late'>();
  const timer = host.setTimer(Math.max(0, config.drainSeconds * 1000 - EXIT_MARGIN_MS), () =>
    late.resolve('late'),
  );
  const stopped = board.stop(reason).then(
    () => 'stopped' as const,
    (error: unknown) => {
      terminal.err(`mag: the board did not stop cleanly: ${describeError(error)}\n`);
      return 'stopped' as const;
    },
  );
  if ((await Promise.race([stopped, late.promise])) === 'late') {
    terminal.err(
      `mag: not drained within ${config.drainSeconds} s (MAG_DRAIN_SECONDS); the rest is cut off\n`,
    );
  }
  host.clearTimer(timer);
}

/** Boots the board and keeps it until a signal, or until it fails. Returns the exit code. */
async function serve(config: Config, interactive: boolean, terminal: Terminal): Promise<number> {
  const host = nodeHost();
  const abort = new AbortController();
  const asked = Promise.withResolvers<string>();
  const onSignal = stopSignals({
    now: host.now,
    interactive: process.stdin.isTTY === true,
    stop: (signal) => {
      asked.resolve(signal);
      abort.abort(new MagError('MAG_DRAINING'));
    },
    force: () => process.exit(FORCED),
  });
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  let board: Board;
  try {
    const { startBoard } = await import('../board.ts');
    board = await startBoard(config, { signal: abort.signal, interactive });
  } catch (error) {
    // The operator changed his mind during boot: that is a clean stop.
    if (abort.signal.aborted) return EXIT.ok;
    report(error, false, terminal);
    return exitCodeOf(error, EXIT.bootFailed);
  }
  const ended = await Promise.race([
    asked.promise.then((signal) => ({ signal })),
    board.failed.then((error) => ({ error })),
  ]);
  if ('error' in ended) terminal.err(`mag: the board gave up: ${describeError(ended.error)}\n`);
  await drain(board, 'signal' in ended ? ended.signal : 'failure', config, host, terminal);
  return 'signal' in ended ? EXIT.ok : EXIT.bootFailed;
}

export const command: Command = {
  help: `mag start [options]

Boots a board and runs it until SIGTERM or Ctrl-C. Flags beat the environment, that beats the configuration file.

${settingLines()}
      --json             writes the log as JSON lines on a terminal, too
      --help             this text
`,
  run: async (args, terminal) => {
    const json = args.includes('--json');
    const settings = args.filter((argument) => argument !== '--json');
    const result = readConfig({ args: settings, env: terminal.env, cwd: terminal.cwd });
    if (!result.ok) {
      for (const problem of result.problems) report(problem, json, terminal);
      return EXIT.usage;
    }
    openModuleCache(result.config.dataDir);
    await freshPage((line) => terminal.err(`${line}\n`));
    const code = await serve(result.config, terminal.interactive && !json, terminal);
    // Whatever still holds the event loop was given its time.
    return process.exit(code);
  },
};
