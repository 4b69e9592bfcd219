// The static checks, as one table. Each is a tool that reads and says what is wrong; none writes outside its own folder, so
// several can run at once, and in two terminals at once.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { at, cacheFolder, run, runNode } from './project.mjs';
import { line, note } from './say.mjs';

/** @typedef {{ code: number, output: string }} Verdict */
/** @type {{ name: string, text: string, todo: string, check: (folder: string) => Promise<Verdict> }[]} */
const checks = [
  {
    name: 'types',
    text: 'sources, tests, examples and scripts with Node',
    todo: 'Mend the types.',
    check: () => tool('typescript/bin/tsc', '-p', at('tsconfig.json')),
  },
  {
    name: 'types, web',
    text: 'the core without Node',
    todo: 'Use only what Node and the web platform share.',
    check: () => tool('typescript/bin/tsc', '-p', at('tsconfig.core.json')),
  },
  {
    name: 'types, public',
    text: 'every exported type is written down (isolatedDeclarations)',
    todo: 'Annotate what is exported.',
    check: () =>
      tool('typescript/bin/tsc', '-p', at('tsconfig.build.json'), '--emitDeclarationOnly', 'false', '--noEmit'),
  },
  {
    name: 'lint',
    text: 'rules with types, import direction, import cycles',
    todo: 'Mend it, or say on the line why it is right (oxlint-disable-next-line).',
    check: () => tool('oxlint/bin/oxlint', '--deny-warnings'),
  },
  { name: 'format', text: 'oxfmt', todo: 'Run `npm run format`.', check: () => tool('oxfmt/bin/oxfmt', '--check') },
  {
    name: 'unused',
    text: 'files, exports and dependencies nobody uses (knip)',
    todo: 'Remove it, or name it in knip.config.ts with the reason.',
    check: () => tool('knip/bin/knip.js', '--no-progress'),
  },
  {
    name: 'package',
    text: 'what npm would publish (publint, are the types wrong)',
    todo: 'Mend package.json or scripts/build.mjs.',
    check: checkPackage,
  },
  {
    name: 'surface',
    text: 'exports are those of docs/surface/',
    todo: 'If the change is meant: `npm run surface`, and commit docs/surface/ with it.',
    check: () => runNode([at('scripts', 'surface.mjs'), '--check']),
  },
];

/**
 * Runs all static checks, as many at once as there are cores.
 * @returns {Promise<{ passed: string[], failed: string[] }>} the names
 */
export async function runChecks() {
  const folder = join(cacheFolder, `checks-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  /** @type {{ passed: string[], failed: string[] }} */
  const result = { passed: [], failed: [] };
  const waiting = [...checks];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const start = performance.now();
      const { code, output } = await next.check(folder);
      line(code === 0 ? 'ok' : 'failed', next.name, next.text, performance.now() - start);
      result[code === 0 ? 'passed' : 'failed'].push(next.name);
      if (code !== 0) {
        process.stderr.write(`${output.trimEnd()}\n`);
        note(`do: ${next.todo}`);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  return result;
}

/**
 * @param {string} script inside node_modules
 * @param {...string} args
 */
function tool(script, ...args) {
  return runNode([at('node_modules', script), ...args]);
}

/**
 * Both tools look at the tarball, so that they see exactly what a consumer gets.
 * @param {string} folder
 * @returns {Promise<Verdict>}
 */
async function checkPackage(folder) {
  const packed = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder]);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (packed.code !== 0 || !tarball) return { code: 1, output: packed.output };
  const verdicts = await Promise.all([
    tool('publint/src/cli.js', 'run', join(folder, tarball), '--strict'),
    tool('@arethetypeswrong/cli/dist/index.js', join(folder, tarball), '--profile', 'esm-only', '--no-emoji'),
  ]);
  const failed = verdicts.filter((verdict) => verdict.code !== 0);
  return { code: failed.length === 0 ? 0 : 1, output: failed.map((verdict) => verdict.output).join('\n') };
}
