/** workerd: the tests as modules of a worker, run by `workerd test`. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tail } from '../../../scripts/lib/project.mjs';
import type { Report } from '../suite/harness.ts';
import { runProgram } from './child.ts';

/** From 2026-08-04 on `nodejs_compat` is on unless told otherwise. */
const compatibilityDate = '2026-11-01';

export async function inWorkerd(
  program: string,
  { folder, unreachable, flags = [] }: { folder: string; unreachable: string; flags?: string[] },
): Promise<Report> {
  const file = `workerd-${flags.join('-')}.capnp`;
  writeFileSync(join(folder, file), configuration(folder, unreachable, flags));
  const { code, said, complained } = await runProgram(program, ['test', file], { cwd: folder, limitMs: 120_000 });
  const output = `${said}\n${complained}`;
  const report = output.split('\n').find((line) => line.startsWith('{"userAgent"'));
  if (code !== 0 || report === undefined) throw new Error(`workerd ended with ${code}:\n${tail(output)}`);
  return JSON.parse(report) as Report;
}

function configuration(folder: string, unreachable: string, flags: string[]): string {
  // Only ours: a browser may have left its profile beside them.
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^(dist\/.*|[^/]*)\.js$/.test(file) && !['process.js', 'page.js', 'dist/node.js'].includes(file));
  // The first module is the one that is run.
  const modules = ['worker.js', ...files.filter((file) => file !== 'worker.js')];
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .suite),
    # The tests ask for something on this machine, where nobody listens.
    (name = "internet", network = (allow = ["public", "private"])),
  ],
);

const suite :Workerd.Worker = (
  compatibilityDate = "${compatibilityDate}",
  compatibilityFlags = ${JSON.stringify(flags)},
  bindings = [
    (name = "self", service = "main"),
    (name = "unreachable", text = "${unreachable}"),
  ],
  modules = [
${modules.map((name) => `    (name = "${name}", esModule = embed "${name}"),`).join('\n')}
  ],
);
`;
}
