import { existsSync, readdirSync } from 'node:fs';
import { defineConfig, type OxlintConfig } from 'oxlint';

type Override = NonNullable<OxlintConfig['overrides']>[number];

/**
 * What stands in src/, in the order in which it may know each other: everything imports only from what stands before it.
 * Last comes `index.ts`, the front door; nothing in src/ imports it.
 */
const layers = [
  'foundation',
  'verdict',
  'scope',
  'budget',
  'policy',
  'events.ts',
  'node',
  'tx',
  'http',
  'mesh',
  'observe',
  'testing',
  'apps',
];
/** What runs in browsers and workers too, and so must not name a module of Node. */
const core = ['foundation', 'verdict', 'scope', 'budget', 'policy', 'events.ts', 'testing'];
const deepest = 5;

interface Pattern {
  regex: string;
  message: string;
}

const everywhere: Pattern[] = [
  { regex: '^holdfast($|/)', message: 'Sources import each other by relative path.' },
  { regex: '\\.(test|test-d|bench)\\.ts$', message: 'Sources do not import tests.' },
];

function restrict(files: string[], patterns: Pattern[]): Override {
  return {
    files,
    rules: { 'eslint/no-restricted-imports': ['error', { patterns: [...everywhere, ...patterns] }] },
  };
}

/** The policies, each a folder of its own. `run/` is what they share. */
const policies = existsSync('src/policy')
  ? readdirSync('src/policy', { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'run')
      .map((entry) => entry.name)
  : [];

/** One override for each folder and depth, because a relative import says how far up it goes. */
const importDirection = layers.flatMap((layer, place) => {
  const later = layers.slice(place + 1);
  const says = `src/${layer} imports only what stands before it: ${layers.slice(0, place).join(', ') || 'nothing'}.`;
  if (layer.endsWith('.ts')) return [restrict([`src/${layer}`], [...forbid('\\./', later, says), ...nodeless(layer)])];
  return Array.from({ length: deepest }, (_, index) => {
    const depth = index + 1;
    const patterns = [...forbid('\\.\\./'.repeat(depth), later, says), ...nodeless(layer)];
    if (layer === 'policy' && depth > 1 && policies.length > 0) {
      patterns.push({
        regex: `^${'\\.\\./'.repeat(depth - 1)}(${policies.join('|')})/`,
        message: 'The policies do not know each other: what they share stands in budget/, foundation/ or policy/run/.',
      });
    }
    return restrict([`src/${layer}/${'*/'.repeat(depth - 1)}*.ts`], patterns);
  });
});

function forbid(toSource: string, names: string[], message: string): Pattern[] {
  const targets = names.map((name) => (name.endsWith('.ts') ? `${name.replace('.', '\\.')}$` : `${name}/`));
  return [{ regex: `^${toSource}(${[...targets, 'index\\.ts$', '\\.\\./'].join('|')})`, message }];
}

function nodeless(layer: string): Pattern[] {
  if (!core.includes(layer)) return [];
  return [{ regex: '^node:', message: 'The core runs in browsers and workers: no module of Node.' }];
}

/** `standard` puts the layers together. After `importDirection`, whose override it replaces for this folder: it may import its siblings besides. */
const standard = restrict(
  ['src/policy/standard/*.ts'],
  [
    ...forbid(
      '\\.\\./\\.\\./',
      layers.slice(layers.indexOf('policy') + 1),
      'src/policy imports only what stands before it.',
    ),
    ...nodeless('policy'),
  ],
);

const frontDoor = restrict(
  ['src/index.ts'],
  [
    ...forbid('\\./', layers.slice(layers.indexOf('node')), 'The front door exports the core; the rest has subpaths.'),
    ...nodeless('foundation'),
  ],
);

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'vitest'],
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'import/no-cycle': 'error',
    // A test may assert through a helper, or by ending at all.
    'vitest/expect-expect': 'off',
    'vitest/no-conditional-expect': 'off',
    'vitest/valid-expect': ['error', { maxArgs: 2 }],
    'eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
    // Said by the compiler already, or a matter of taste that costs more comments than it finds bugs.
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/consistent-return': 'off',
    'eslint/no-shadow': 'off',
    'eslint/no-unmodified-loop-condition': 'off',
    'eslint/no-new': 'off',
    // `using _listener = onEvent(…)` has a name only because the syntax wants one.
    'eslint/no-underscore-dangle': 'off',
    'unicorn/no-array-reverse': 'off',
    'typescript/no-this-alias': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'promise/always-return': 'off',
    'promise/no-callback-in-promise': 'off',
    'vitest/no-focused-tests': 'error',
    'vitest/no-disabled-tests': 'error',
  },
  overrides: [
    ...importDirection,
    standard,
    frontDoor,
    {
      // Tests look at everything.
      files: ['src/**/*.test.ts', 'src/**/*.test-d.ts', 'src/**/*.bench.ts'],
      rules: { 'eslint/no-restricted-imports': 'off' },
    },
    {
      files: ['**/*.test.ts', '**/*.test-d.ts', 'test/**'],
      rules: { 'typescript/unbound-method': 'off', 'typescript/no-base-to-string': 'off' },
    },
    // Type tests are compiled and never run.
    { files: ['**/*.test-d.ts'], rules: { 'typescript/no-floating-promises': 'off' } },
  ],
  ignorePatterns: ['dist', 'coverage', '.cache', '.stryker-tmp'],
});
