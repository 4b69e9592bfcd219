// `npm run bench -- claims [--only holdfast,cockatiel] [--claim NAME] [--write]`: what we claim of the policies, run with each
// peer that has such a thing (claims/). Prints Markdown; `--write` puts it into docs/comparison.md, and the table alone into the README.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Failure } from '../scripts/lib/say.mjs';
import { claims } from './claims/index.mjs';
import { peers } from './peers/index.mjs';
import { about } from './set-up.mjs';

const checkFile = fileURLToPath(new URL('./claims/check.mjs', import.meta.url));
const documentFile = fileURLToPath(new URL('../docs/comparison.md', import.meta.url));
const readmeFile = fileURLToPath(new URL('../README.md', import.meta.url));
const [begin, end] = ['<!-- claims: from `npm run bench -- claims --write` -->', '<!-- end of claims -->'];

/** A check that has not ended by then hangs. The longest one takes about three seconds. */
const CHECK_MS = 20_000;
/** Checks mostly wait, so several run at once; they measure time, so not many. */
const AT_ONCE = 4;

/** Not compared: what is no package, and what is put together of those that stand beside it. */
const notCompared = ['bare', 'by hand', 'p-timeout, p-retry, opossum, p-limit', 'bottleneck', 'limiter'];

/**
 * @param {{ only?: string[], claim?: string[] }} [wanted]
 * @returns {Promise<Map<string, Map<string, import('./claims/check.mjs').Verdict>>>} by claim, then by peer
 */
export async function verdicts({ only, claim } = {}) {
  const names = Object.keys(peers).filter((name) => !notCompared.includes(name) && (!only || only.includes(name)));
  const found = new Map(
    claims
      .filter(({ name }) => !claim || claim.includes(name))
      .map(({ name }) => [name, new Map(names.map((n) => [n]))]),
  );
  const waiting = [...found].flatMap(([claim, row]) => names.map((peer) => ({ claim, peer, row })));
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      next.row.set(next.peer, await check(next.peer, next.claim));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

/** @param {string} peer @param {string} claim @returns {Promise<import('./claims/check.mjs').Verdict>} */
function check(peer, claim) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--no-warnings', checkFile, peer, claim], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: CHECK_MS,
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`the check of '${claim}' with ${peer} ended with ${code ?? signal}:\n${errors}`));
    });
  });
}

const words = { right: 'right', asked: 'if asked', wrong: '**wrong**', none: '–' };

/** @param {Awaited<ReturnType<typeof verdicts>>} found @returns {{ table: string, seen: string }} */
export function markdown(found) {
  const names = [...([...found.values()][0]?.keys() ?? [])];
  const table = [`| | ${names.join(' | ')} |`, `|---|${':-:|'.repeat(names.length)}`];
  const seen = [];
  for (const { name, title } of claims) {
    const row = found.get(name);
    if (!row) continue;
    table.push(`| ${title} | ${[...row.values()].map(({ verdict }) => words[verdict]).join(' | ')} |`);
    const noted = [...row].filter(([, { verdict }]) => verdict === 'wrong' || verdict === 'asked');
    if (noted.length === 0) continue;
    seen.push(`- ${title}:`);
    for (const [peer, { seen: what, note }] of noted) {
      seen.push(`  - ${peer}: ${what.join('; ')}${note ? ` (right ${note})` : ''}`);
    }
  }
  return {
    table: [about(), '', ...table].join('\n'),
    seen: ['What was seen where it is not right:', '', ...seen].join('\n'),
  };
}

/** @param {string[]} args */
export async function main(args) {
  const { values } = parseArgs({
    args,
    options: { only: { type: 'string' }, claim: { type: 'string' }, write: { type: 'boolean', default: false } },
  });
  const { table, seen } = markdown(await verdicts({ only: values.only?.split(','), claim: values.claim?.split(',') }));
  console.log(`${table}\n\n${seen}`);
  if (!values.write) return;
  if (values.only || values.claim)
    throw new Failure('--write wants the whole table: leave out --only and --claim', { code: 2 });
  write(documentFile, `${table}\n\n${seen}`);
  write(readmeFile, table);
}

/** @param {string} file @param {string} text what goes between the marks in it */
function write(file, text) {
  const document = readFileSync(file, 'utf8');
  const [from, to] = [document.indexOf(begin) + begin.length, document.indexOf(end)];
  writeFileSync(file, `${document.slice(0, from)}\n\n${text}\n\n${document.slice(to)}`);
}
