import type { KnipConfig } from 'knip';

export default {
  entry: [
    'src/{index,testing/index,node/index}.ts',
    'scripts/{run,build,check,format,full,mutate,surface,test}.mjs',
    'scripts/lib/vitest-summary.mjs',
    'examples/*/*.ts',
    'test/{docs,fuzz,soak}/*.ts',
    'test/packaging/**/*.ts',
    'bench/**/*.mjs',
  ],
  project: ['src/**/*.ts', 'test/**/*.ts', 'examples/**/*.ts', 'scripts/**/*.mjs'],
  ignoreDependencies: [
    // The Node that everything runs on, and programs that scripts start by their path.
    'node',
    'oxfmt',
    'publint',
    '@arethetypeswrong/cli',
    'jest',
  ],
  ignoreExportsUsedInFile: true,
  // Two names for one value can be meant: what is real and what is in use.
  exclude: ['duplicates'],
} satisfies KnipConfig;
