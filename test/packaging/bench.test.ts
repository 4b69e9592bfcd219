import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { at, readJson } from '../../scripts/lib/project.mjs';

interface Verdict {
  verdict: 'right' | 'asked' | 'wrong' | 'none';
  seen: string[];
}

/** The benchmarks are no part of what is type-checked. */
const { claims } = (await import(at('bench', 'claims', 'index.mjs'))) as { claims: { name: string; title: string }[] };
const { verdicts } = (await import(at('bench', 'claims.mjs'))) as {
  verdicts: (wanted: { only: string[] }) => Promise<Map<string, Map<string, Verdict>>>;
};

const document = readFileSync(at('docs', 'comparison.md'), 'utf8');
const versions = (readJson(at('bench', 'package.json')) as { dependencies: Record<string, string> }).dependencies;

test('what is claimed beside the peers holds for Holdfast', async () => {
  const found = await verdicts({ only: ['holdfast'] });
  const own = Object.fromEntries([...found].map(([claim, row]) => [claim, row.get('holdfast')]));
  expect(own).toEqual(Object.fromEntries(claims.map(({ name }) => [name, { verdict: 'right', seen: [] }])));
});

test('the comparison has each claim, as the checks word it, and the versions of the peers that are locked', () => {
  const rows = document.split('\n').flatMap((line) => /^\| ([^|]+) \| right \|/.exec(line)?.[1] ?? []);
  expect(rows).toEqual(claims.map(({ title }) => title));
  for (const [name, version] of Object.entries(versions)) expect(document).toContain(`${name} ${version}`);
});

test('the lock file of the peers names no registry, and exact versions', () => {
  const lock = readJson(at('bench', 'package-lock.json')) as {
    packages: Record<string, { version?: string; resolved?: string }>;
  };
  expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  for (const [name, version] of Object.entries(versions)) {
    expect(lock.packages[`node_modules/${name}`]?.version).toBe(version);
  }
});
