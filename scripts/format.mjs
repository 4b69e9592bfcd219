// `npm run format`: lays out every file of the project, or those that are named.
import { at, runNode } from './lib/project.mjs';
import { command } from './lib/say.mjs';

await command(async () => {
  const { code } = await runNode([at('node_modules', 'oxfmt', 'bin', 'oxfmt'), ...process.argv.slice(2)], {
    echo: true,
  });
  return code;
});
