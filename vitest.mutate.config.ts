import { defineConfig } from 'vitest/config';

/** The tests that mutants are run against: quick ones, in one process, without projects, which Stryker's runner wants. */
export default defineConfig({ test: { include: ['src/**/*.test.ts'] } });
