// Mutation testing: which changes to the sources would no test notice? `npm run mutate -- foundation` picks a folder.
const folder = process.env['HOLDFAST_MUTATE'] ?? '{foundation,scope}';

export default {
  plugins: ['@stryker-mutator/vitest-runner'],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutate.config.ts', related: false },
  mutate: [`src/${folder}/**/*.ts`, '!src/**/*.{test,test-d,bench}.ts'],
  // Stryker rewrites a tsconfig.json through TypeScript's classic API, which version 7 has not: a name that does not exist
  // keeps it away. Its TypeScript checker needs that API too, so mutants that do not compile are run like the others.
  tsconfigFile: 'tsconfig.no-such-file.json',
  ignorePatterns: [
    '/dist',
    '/coverage',
    '/docs',
    '/examples',
    '/bench',
    '/reports',
    '/.cache',
    '/.evidence',
    '/scripts',
  ],
  coverageAnalysis: 'perTest',
  concurrency: 2,
  timeoutMS: 5_000,
  tempDirName: '.cache/stryker',
  reporters: ['clear-text', 'progress-append-only', 'json', 'html'],
  jsonReporter: { fileName: '.cache/mutation/mutation.json' },
  htmlReporter: { fileName: '.cache/mutation/mutation.html' },
  clearTextReporter: { allowEmojis: false, logTests: false, reportTests: false },
};
