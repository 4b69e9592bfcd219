import type { KnipConfig } from 'knip';

export default {
  workspaces: {
    '.': {
      entry: [
        'src/{index,testing/index,node/index}.ts',
        'scripts/{run,build,check,format,full,mutate,surface,test}.mjs',
        'scripts/lib/vitest-summary.mjs',
        'examples/*/*.ts',
        'test/{cells,docs,fuzz,interleavings,soak,stacks}/*.ts',
        'test/packaging/**/*.ts',
        'test/runtimes/{main,hosts/*,*.test}.ts',
      ],
      project: ['src/**/*.ts', 'test/**/*.ts', 'examples/**/*.ts', 'scripts/**/*.mjs'],
    },
    // The programs are dependencies of this folder alone, and started by their path.
    'test/runtimes/programs': { ignoreDependencies: ['bun', 'deno', 'workerd'] },
    // The peers are dependencies of this folder alone.
    bench: { entry: ['run.mjs', 'cases/*.mjs', 'claims/*.mjs'], project: ['**/*.mjs'] },
  },
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
