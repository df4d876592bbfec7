import { defineConfig } from 'vitest/config';

/** What leaves nothing behind in its process shares it, which saves each file half a second of imports. */
const SHARED = ['meta', 'otp', 'tck', 'types', 'unit'].map((folder) => `test/${folder}/**/*.test.ts`);

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
      { extends: true, test: { name: 'shared', include: SHARED, isolate: false } },
      { extends: true, test: { name: 'own', include: ['test/**/*.test.ts'], exclude: SHARED } },
    ],
  },
});
