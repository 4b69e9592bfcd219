/** No document points to something that is not there. Addresses on the web are not asked. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { at } from '../../scripts/lib/project.mjs';
import { filesIn, markdownFiles } from './blocks.ts';
import { anchorsOf, linksOf, type Found } from './links.ts';

const read = (file: string): string => readFileSync(at(file), 'utf8');

describe('the links of the documentation', () => {
  test.for(markdownFiles())('%s: every relative link and anchor resolves', (file) => {
    expect(linksOf(read(file)).flatMap((link) => problemOf(file, link))).toEqual([]);
  });

  test('what sources, tests, scripts and examples say of docs/ is there', () => {
    const files = ['src', 'test', 'scripts', 'examples'].flatMap(filesIn).filter((file) => /\.(ts|mjs)$/.test(file));
    const named = files.flatMap((file) =>
      [...read(file).matchAll(/\bdocs\/[\w./-]+\.md\b/g)].map(([path]) => ({ file, path })),
    );
    // Written by `npm run test:full`, so not there in every checkout.
    const written = 'docs/evidence.md';
    expect(named.filter(({ path }) => path !== written && !existsSync(at(path)))).toEqual([]);
  });

  test('docs/decisions/README.md lists every record, by its number', () => {
    const records = filesIn('docs/decisions').filter((file) => /\/\d{4}-[^/]+\.md$/.test(file));
    const listed = linksOf(read('docs/decisions/README.md')).map(({ target }) => `docs/decisions/${target}`);
    expect(listed.filter((target) => /\/\d{4}-/.test(target)).toSorted()).toEqual(records);
    const numbers = records.map((file) => /\/(\d{4})-/.exec(file)![1]);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const file of records) expect(read(file)).toMatch(new RegExp(`^# ${/\/(\d{4})-/.exec(file)![1]}: `));
  });
});

function problemOf(file: string, { line, target, title }: Found): string[] {
  if (/^[a-z][a-z+.-]*:/.test(target)) return [];
  const [path = '', anchor] = decodeURI(target).split('#');
  const found = path === '' ? file : normalize(`${dirname(file)}/${path}`);
  const at_ = `${file}:${line}: ${target}`;
  if (!existsSync(at(found))) return [`${at_}: there is no ${found}`];
  if (anchor !== undefined && found.endsWith('.md') && !anchorsOf(read(found)).has(anchor))
    return [`${at_}: ${found} has no #${anchor}`];
  if (title !== undefined && /\.test(-d)?\.ts$/.test(found) && !read(found).includes(title))
    return [`${at_}: no test of ${found} is called "${title}"`];
  if (title !== undefined && statSync(at(found)).isDirectory())
    return [`${at_}: a folder has no test called "${title}"`];
  return [];
}
