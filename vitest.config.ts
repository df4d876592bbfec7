import { defineConfig } from 'vitest/config';

/** What starts and kills whole processes. */
const BOARDS = ['e2e', 'fault', 'model'].map((folder) => `test/${folder}/**/*.test.ts`);

/** Two files at a time, where they share a machine with two cores; each starts its own servers on free ports. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: ['test/support/services/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    projects: [
      // What leaves nothing behind in its process shares it, which saves each file half a second of imports.
      {
        extends: true,
        test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: BOARDS, isolate: false },
      },
      { extends: true, test: { name: 'boards', include: BOARDS } },
    ],
  },
});
