// docs/evidence.md: what the long tests found, when, on which commit and machine. The table is kept by this program; the rest
// of the page is written by people.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { at, run } from './project.mjs';
import { seconds } from './say.mjs';

const page = at('docs', 'evidence.md');
const begin = '<!-- table: written by npm run test:full -->';
const end = '<!-- end of table -->';
const head = [
  '| part | what | figures | result | time | date | commit | machine |',
  '|---|---|---|---|--:|---|---|---|',
];
const newPage = `# Evidence

What the long tests found. \`npm run test:full -- --part NAME\` runs a part again and replaces its row.

${begin}
${end}
`;

/** @param {{ part: string, what: string, figures: string, result: string, ms: number }} row */
export async function writeEvidence({ part, what, figures, result, ms }) {
  const text = readPage();
  const [before, rest] = split(text, begin);
  const [table, after] = split(rest, end);
  const rows = new Map(
    table
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(1)
      .map((line) => [line.split('|')[1]?.trim(), line]),
  );
  // A trial at a smaller scale does not replace what was found at full figures.
  const old = rows.get(part);
  if (figures.includes('(scale ') && old && !old.includes('(scale ')) return;
  const cells = [
    part,
    what,
    figures,
    result,
    seconds(ms),
    new Date().toISOString().slice(0, 10),
    await commit(),
    machine(),
  ];
  rows.set(part, `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`);
  const sorted = [...rows]
    .sort(([a = ''], [b = '']) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([, line]) => line);
  mkdirSync(at('docs'), { recursive: true });
  writeFileSync(page, `${before}${begin}\n\n${[...head, ...sorted].join('\n')}\n\n${end}${after}`);
}

function readPage() {
  try {
    const text = readFileSync(page, 'utf8');
    return text.includes(begin) && text.includes(end) ? text : `${text.trimEnd()}\n\n${begin}\n${end}\n`;
  } catch {
    return newPage;
  }
}

/**
 * @param {string} text
 * @param {string} mark
 * @returns {[string, string]}
 */
function split(text, mark) {
  const place = text.indexOf(mark);
  return [text.slice(0, place), text.slice(place + mark.length)];
}

async function commit() {
  const { output } = await run('git', ['rev-parse', '--short', 'HEAD']);
  const changed = await run('git', ['status', '--porcelain', '--', 'src', 'test', 'package-lock.json']);
  return changed.output.trim() === '' ? output.trim() : `${output.trim()} and changes`;
}

function machine() {
  const processors = cpus();
  const model = (processors[0]?.model ?? process.arch).replace(/\s+/g, ' ').trim();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} × ${model}, ${memory} GiB, ${type()} ${release().split('-')[0]}, Node ${process.versions.node}`;
}
