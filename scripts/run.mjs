// The door of every npm command: does the set-up that is missing, then runs the command with the pinned Node.
// This file and lib/ need nothing but Node 20; what they start may use everything.
//
// Another command: a line in `commands` here and in package.json's "scripts".
import { existsSync } from 'node:fs';
import { runInForeground } from './lib/foreground.mjs';
import { at } from './lib/project.mjs';
import { Failure, command } from './lib/say.mjs';
import { setUp } from './lib/set-up.mjs';

/** @type {Record<string, { file?: string, flags?: string[], build: 'never' | 'when stale' | 'always' }>} */
const commands = {
  start: { file: 'examples/shop/main.ts', build: 'when stale' },
  test: { file: 'scripts/test.mjs', build: 'when stale' },
  full: { file: 'scripts/full.mjs', build: 'when stale' },
  check: { file: 'scripts/check.mjs', build: 'when stale' },
  surface: { file: 'scripts/surface.mjs', build: 'when stale' },
  build: { build: 'always' },
  format: { file: 'scripts/format.mjs', build: 'never' },
  runtimes: { file: 'test/runtimes/main.ts', build: 'when stale' },
  bench: { file: 'bench/run.mjs', flags: ['--expose-gc'], build: 'when stale' },
  fuzz: { file: 'test/fuzz/main.ts', build: 'when stale' },
  mutate: { file: 'scripts/mutate.mjs', build: 'never' },
};

await command(async () => {
  const [name = '', ...args] = process.argv.slice(2);
  const wanted = commands[name];
  if (!wanted) {
    throw new Failure(`no command is called '${name}'`, {
      todo: `One of: ${Object.keys(commands).join(', ')}.`,
      code: 2,
    });
  }
  if (wanted.file && !existsSync(at(wanted.file))) {
    throw new Failure(`npm run ${name} needs ${wanted.file}`, { why: 'That file is not in this checkout.' });
  }
  await setUp({ build: wanted.build });
  if (!wanted.file) return 0;
  return runInForeground([...(wanted.flags ?? []), at(wanted.file), ...args]);
});
