// `npm run check`: everything that can be known without running a test.
import { runChecks } from './lib/checks.mjs';
import { Failure, command } from './lib/say.mjs';

await command(async () => {
  const { passed, failed } = await runChecks();
  if (failed.length > 0) throw new Failure(`failed: ${failed.join(', ')}`, { why: 'Each says above what it found.' });
  process.stdout.write(`${passed.length} checks passed\n`);
});
