/** What was found, as the table of the README. A program writes it; nobody else. */
import { readFileSync, writeFileSync } from 'node:fs';
import { at } from '../../scripts/lib/project.mjs';
import type { Found, Runtime } from './runtimes.ts';

const readme = at('README.md');
const begin = '<!-- runtimes: from `npm run runtimes -- --write` -->';
const end = '<!-- end of runtimes -->';

export function tableOf(found: ReadonlyMap<Runtime, Found>): string {
  const rows = [...found].map(([runtime, { version, report }]) => {
    const total = report.passed.length + report.failed.length;
    return `| ${runtime.name} | ${version} | ${report.passed.length} of ${total} | ${differences(runtime, report)} |`;
  });
  return ['| runtime | version | tests passed | what differs |', '|---|---|--:|---|', ...rows].join('\n');
}

function differences({ differs }: Runtime, { lacks }: Found['report']): string {
  const missing = Object.entries(lacks).map(
    ([feature, tests]) => `no ${feature} (${tests.length} ${tests.length === 1 ? 'test does' : 'tests do'} not apply)`,
  );
  return [...missing, ...(differs === undefined ? [] : [differs])].join('; ') || 'nothing';
}

export function writeTable(found: ReadonlyMap<Runtime, Found>): void {
  const text = readFileSync(readme, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has lost its marks: ${begin} … ${end}`);
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync(readme, `${text.slice(0, from)}${begin}\n\n${today}.\n\n${tableOf(found)}\n\n${text.slice(to)}`);
}
