import { defineConfig } from 'vitest/config';

/** What must be executed by its tests to the last line and branch. */
const wholly = ['src/foundation/**', 'src/verdict/**', 'src/scope/**', 'src/budget/**'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/{packaging,docs,runtimes}/**'],
          // Some do a hundred thousand things, beside everything else that runs here, with coverage.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'types',
          include: [],
          // Errors elsewhere are found by `npm run check`; here only what the type tests say.
          typecheck: {
            enabled: true,
            only: true,
            include: ['{src,test}/**/*.test-d.ts'],
            tsconfig: './tsconfig.json',
            ignoreSourceErrors: true,
          },
        },
      },
      // Compiles and runs what the documents show, against dist/.
      { test: { name: 'docs', include: ['test/docs/**/*.test.ts'] } },
      { test: { name: 'examples', include: ['examples/**/*.test.ts'], testTimeout: 60_000 } },
      // The built core in other programs than this one.
      { test: { name: 'runtimes', include: ['test/runtimes/**/*.test.ts'], testTimeout: 180_000 } },
      {
        test: {
          name: 'packaging',
          include: ['test/packaging/**/*.test.ts'],
          globalSetup: ['test/packaging/install.ts'],
          testTimeout: 60_000,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/{foundation,verdict,scope,budget,policy,testing,node}/**/*.ts'],
      exclude: ['**/*.test.ts', '**/*.test-d.ts', '**/*.bench.ts'],
      reporter: ['json-summary', 'html', ['text', { skipFull: true }]],
      thresholds: Object.fromEntries(wholly.map((files) => [files, { lines: 100, branches: 100 }])),
    },
  },
});
