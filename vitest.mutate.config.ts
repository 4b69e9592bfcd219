import process from 'node:process';
import { defineConfig } from 'vitest/config';

/** Which tests the mutants of a folder are run against; of those not named here: all. Every mutant that survives has been through each of them. */
const tests: Record<string, string[]> = {
  verdict: ['src/verdict/**/*.test.ts'],
  budget: ['src/budget/**/*.test.ts', 'src/policy/retry/**/*.test.ts'],
  policy: ['src/policy/**/*.test.ts'],
  'policy/hedge': ['src/policy/hedge/*.test.ts'],
  'policy/rate-limit': ['src/policy/rate-limit/*.test.ts'],
};

/** The tests that mutants are run against: quick ones, in one process, without projects, which Stryker's runner wants. */
export default defineConfig({
  test: {
    include: tests[process.env['HOLDFAST_MUTATE'] ?? ''] ?? ['src/**/*.test.ts'],
    // Many attempts and calls, for seconds: too dear for each of a thousand mutants.
    exclude: ['src/policy/run/leaks.test.ts'],
  },
});
