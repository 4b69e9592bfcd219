/** The reference has everything that there is: options, errors, events, exports. A new one without a word in the documents fails here. */
import { readFileSync } from 'node:fs';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, test } from 'vitest';
import { at } from '../../scripts/lib/project.mjs';
import { filesIn, sourceFiles } from './blocks.ts';

const read = (file: string): string => readFileSync(at(file), 'utf8');
const allDocuments = ['README.md', ...filesIn('docs/guide'), ...filesIn('docs/reference')].map(read).join('\n');

/** The members of an exported interface. */
function membersOf(file: string, name: string): string[] {
  const { body } = parseAst(read(file), { lang: 'ts' }) as unknown as { body: Statement[] };
  const found = body.find(
    ({ declaration }) => declaration?.type === 'TSInterfaceDeclaration' && declaration.id.name === name,
  );
  return found!.declaration!.body.body.map(({ key }) => key.name);
}

interface Statement {
  readonly declaration: { type: string; id: { name: string }; body: { body: { key: { name: string } }[] } } | null;
}

describe('docs/reference/options.md', () => {
  const lines = read('docs/reference/options.md').split('\n');

  test.for([
    ['scope', 'src/scope/contract.ts', 'ScopeOptions'],
    ['scopeSync', 'src/scope/contract.ts', 'SyncScopeOptions'],
    ['run', 'src/policy/run/layer.ts', 'RunOptions'],
    ['retry', 'src/policy/retry/retry.ts', 'RetryOptions'],
    ['budget', 'src/budget/budget.ts', 'BudgetOptions'],
    ['timeout', 'src/policy/timeout/timeout.ts', 'TimeoutOptions'],
    ['breaker', 'src/policy/breaker/breaker.ts', 'BreakerOptions'],
    ['bulkhead', 'src/policy/bulkhead/bulkhead.ts', 'BulkheadOptions'],
    ['rateLimit', 'src/policy/rate-limit/rate-limit.ts', 'RateLimitOptions'],
    ['hedge', 'src/policy/hedge/hedge.ts', 'HedgeOptions'],
    ['perKey', 'src/policy/per-key/per-key.ts', 'PerKeyOptions'],
    ['standard', 'src/policy/standard/standard.ts', 'StandardOptions'],
    ['layer', 'src/policy/layer/layer.ts', 'LayerOptions'],
    ['runMain', 'src/node/run-main.ts', 'MainOptions'],
    ['virtualTime', 'src/testing/virtual-time.ts', 'VirtualTimeOptions'],
  ] as const)('has the options of %s, and no others', ([of, file, name]) => {
    const first = lines.findIndex((line) => line.startsWith(`| \`${of}\` |`));
    const next = lines.findIndex((line, index) => index > first && !line.startsWith('| |'));
    const documented = lines.slice(first, next).map((line) => /^\|[^|]*\| `(\w+)` \|/.exec(line)?.[1]);
    expect(documented).toEqual(membersOf(file, name));
  });
});

test('docs/reference/errors.md has every code', () => {
  const codes = sourceFiles().flatMap((file) =>
    [...read(file).matchAll(/\breadonly code(?:: | = )'([A-Z_]+)'/g)].map(([, code]) => code!),
  );
  expect(codes).toContain('TIMEOUT');
  for (const code of codes) expect(read('docs/reference/errors.md')).toContain(`| \`${code}\` |`);
});

test('docs/reference/events.md has every event', () => {
  const events = [...read('src/events.ts').matchAll(/^ {2}'([a-z-]+:[a-z-]+)': true,$/gm)].map(([, event]) => event!);
  expect(events).toContain('scope:cleanup-failed');
  for (const event of events) expect(read('docs/reference/events.md')).toContain(`| \`${event}\` |`);
});

test.for(['Scope', 'SyncScope'])('the guide or the reference speaks of every member of %s', (name) => {
  const silent = membersOf('src/scope/contract.ts', name).filter(
    (member) => !new RegExp(`\\b${member}\\b`).test(allDocuments),
  );
  expect(silent).toEqual([]);
});

test('the README names every value that can be imported, but for the classes of errors', () => {
  const readme = read('README.md');
  const entries = ['src/index.ts', 'src/policy/index.ts', 'src/node/index.ts', 'src/testing/index.ts'];
  const names = entries.flatMap((file) =>
    [...read(file).matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, list]) =>
      list!.split(',').map((name) => name.trim()),
    ),
  );
  const values = names.filter((name) => name !== '' && !name.startsWith('type ') && !name.endsWith('Error'));
  expect(values).toContain('scope');
  expect(values.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
});
