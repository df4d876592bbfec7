/** `npm run -s bench -- SUITE [--json] [--rounds N] [--only PREFIX]`: measures a suite and its baselines in turn, in one run. */
import { parseArgs } from 'node:util';
import { machine, type SuiteReport } from './report.ts';

interface Suite {
  run(options: {
    readonly rounds: number;
    readonly only: string;
    readonly progress: (line: string) => void;
  }): Promise<SuiteReport>;
}

const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  rest: () => import('./suites/rest.ts'),
  fanout: () => import('./suites/fanout.ts'),
  board: () => import('./suites/board.ts'),
  runtime: () => import('./suites/runtime.ts'),
  tenants: () => import('./suites/tenants.ts'),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
const name = positionals[0] ?? '';
const load = SUITES[name];
const rounds = Number(values.rounds);
if (values.help || load === undefined || !Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(
    `usage: npm run -s bench -- ${Object.keys(SUITES).join('|')} [--json] [--rounds N] [--only PREFIX]\n`,
  );
  process.exit(values.help ? 0 : 2);
}
const suite = await load();
const report = await suite.run({
  rounds,
  only: values.only,
  progress: (line) => process.stderr.write(`${line}\n`),
});
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ suite: name, when: new Date().toISOString(), machine: machine(), ...report })}\n`,
  );
} else {
  for (const [key, result] of Object.entries(report.results)) {
    const against = `${result.baseline.name} ${result.baseline.value}`;
    process.stdout.write(
      `${key.padEnd(28)} ${String(result.value).padStart(10)} ${result.unit.padEnd(12)} ${against.padEnd(40)} ×${result.ratio}\n`,
    );
  }
  for (const [key, why] of Object.entries(report.skipped))
    process.stdout.write(`${key.padEnd(28)} skipped: ${why}\n`);
}
