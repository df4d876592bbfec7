/** `npm test`: runs vitest, then closes with one line counted from vitest's own JSON report. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const folder = mkdtempSync(join(tmpdir(), 'mag-report-'));
// For every process and thread that the tests start: each would read its TypeScript anew otherwise.
const modules = join(import.meta.dirname, '../../node_modules/.cache/modules');
const file = join(folder, 'report.json');
const vitest = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs');
const run = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: { NODE_COMPILE_CACHE: modules, ...process.env } },
);
let exitCode = run.status ?? 1;
try {
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report; // vitest's documented report shape
  // A file that fails before its first test counts as one failure: it has no test to count.
  const brokenFiles = report.testResults.filter(
    (result) => result.status === 'failed' && result.assertionResults.length === 0,
  );
  const failed = report.numFailedTests + brokenFiles.length;
  const skipped = report.numPendingTests + report.numTodoTests;
  if (failed > 0 || report.numPassedTests === 0) exitCode = exitCode || 1;
  process.stdout.write(`\n${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`);
} catch (error) {
  exitCode = exitCode || 1;
  process.stderr.write(`no test report: ${String(error)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = exitCode;
