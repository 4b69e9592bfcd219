// `npm run mutate [-- FOLDER]`: mutation tests of src/FOLDER, foundation and scope if none is named.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { at, pinnedNode, root, toolEnvironment } from './lib/project.mjs';
import { Failure, command } from './lib/say.mjs';

await command(async () => {
  const [folder, ...args] = process.argv.slice(2);
  if (folder && !existsSync(at('src', folder)))
    throw new Failure(`there is no src/${folder}`, { todo: 'Name a folder of src/.' });
  // Where the clocks are not Greenwich's, a date that is read without its zone is noticed.
  const env = { ...toolEnvironment(), TZ: 'America/New_York', ...(folder && { HOLDFAST_MUTATE: folder }) };
  const stryker = at('node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js');
  const child = spawn(pinnedNode, [stryker, 'run', ...args], { cwd: root, env, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code ?? 1;
});
