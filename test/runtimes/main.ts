/**
 * `npm run runtimes [-- --only Bun,Deno] [-- --write]`: the built core on every runtime. `--write` puts the table into the README, and
 * needs all of them.
 */
import { parseArgs } from 'node:util';
import { Failure, command, line } from '../../scripts/lib/say.mjs';
import { build } from './build.ts';
import { runOn, runtimes, type Found, type Runtime } from './runtimes.ts';
import { tableOf, writeTable } from './table.ts';

await command(async () => {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, write: { type: 'boolean', default: false } },
  });
  const wanted = values.only === undefined ? runtimes : values.only.split(',').map(named);
  if (values.write && wanted.length < runtimes.length) throw new Failure('--write needs every runtime', { code: 2 });
  using place = await build();
  const found = new Map<Runtime, Found>();
  const failed: string[] = [];
  for (const runtime of wanted) {
    const start = performance.now();
    const problems = await tryOn(runtime, place.folder, found);
    const text =
      found.get(runtime) === undefined ? 'not run' : `${found.get(runtime)!.report.passed.length} tests passed`;
    line(problems.length === 0 ? 'ok' : 'failed', runtime.name, text, performance.now() - start);
    for (const problem of problems) process.stderr.write(`  ${problem.replaceAll('\n', '\n  ')}\n`);
    if (problems.length > 0) failed.push(runtime.name);
  }
  process.stdout.write(`${tableOf(found)}\n`);
  if (failed.length > 0) throw new Failure(`not as it should be: ${failed.join(', ')}`, { why: 'Said above.' });
  if (values.write) writeTable(found);
});

async function tryOn(runtime: Runtime, folder: string, found: Map<Runtime, Found>): Promise<readonly string[]> {
  try {
    const one = await runOn(runtime, await runtime.program(), folder);
    found.set(runtime, one);
    return one.problems;
  } catch (error) {
    return [
      error instanceof Failure ? [error.message, error.why, error.todo].filter(Boolean).join('\n') : String(error),
    ];
  }
}

function named(name: string): Runtime {
  const runtime = runtimes.find((each) => each.name.toLowerCase() === name.trim().toLowerCase());
  if (runtime !== undefined) return runtime;
  const names = runtimes.map((each) => each.name).join(', ');
  throw new Failure(`--only: expected some of ${names}; got ${name}`, { code: 2 });
}
