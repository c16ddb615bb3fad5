import { defineConfig } from 'vitest/config';

const integration = ['test/integration/**/*.test.ts', 'test/deploy/**/*.test.ts'];
const faults = 'test/faults/**/*.test.ts';
// Real programs for every test: Temporal, Trivy, a registry, crane, by name on PATH. Named in each project, because the
// root's own would run after theirs (measured with 4.1); the second time it finds everything on PATH.
const tools = 'test/support/global-setup.ts';
const timeouts = { testTimeout: 60_000, hookTimeout: 120_000 };
// What is polled for is what real programs do, on cores that they share.
const patient = { poll: { timeout: 20_000 } };

export default defineConfig({
  test: {
    // Tests share two cores with the servers they talk to.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...integration, faults],
          globalSetup: [tools],
          expect: patient,
          ...timeouts,
        },
      },
      {
        // A Temporal server and the workflow bundle, made once, and only when one of these tests runs. Some of them start
        // our command six times, which takes 3 s each where others work too.
        test: {
          name: 'integration',
          include: integration,
          globalSetup: [tools, 'test/support/temporal-setup.ts'],
          expect: patient,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Killed workers are noticed after 15 to 120 s, so these wait more than they work: npm run test:faults.
        test: {
          name: 'faults',
          include: [faults],
          globalSetup: [tools, 'test/support/temporal-setup.ts'],
          expect: patient,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
