/** The machinery itself: an example that is wrong is found to be wrong. */
import { describe, expect, test } from 'vitest';
import { blocksOfComments, blocksOfMarkdown } from './blocks.ts';
import { anchorsOf, linksOf } from './links.ts';
import { expectation, transform } from './transform.ts';

describe('blocks', () => {
  test('ts blocks are found with their line, their mark and what they print', () => {
    const text = [
      '# Title',
      '```ts',
      'one();',
      '```',
      '',
      '```text output',
      '1',
      '```',
      '```js',
      'no();',
      '```',
      '```ts no-run: waits',
      'two();',
      '```',
    ].join('\n');
    expect(blocksOfMarkdown('a.md', text)).toMatchObject([
      { where: 'a.md:3', code: 'one();', mode: 'run', output: '1' },
      { where: 'a.md:13', code: 'two();', mode: 'no-run', output: undefined },
    ]);
  });

  test('a mark without a reason, an unknown mark and an open block are refused', () => {
    expect(() => blocksOfMarkdown('a.md', '```ts ignore\n```')).toThrow('ignore needs a reason');
    expect(() => blocksOfMarkdown('a.md', '```ts skip: this\n```')).toThrow("'skip: this' is none of");
    expect(() => blocksOfMarkdown('a.md', '```ts\nx')).toThrow('has no end');
  });

  test('an @example ends at the next tag or at the end of the comment', () => {
    const text = [
      '/**',
      ' * Text.',
      ' * @example',
      ' * one();',
      ' * @example no-run: waits',
      ' *   two();',
      ' * @throws never',
      ' */',
      'three();',
    ].join('\n');
    expect(blocksOfComments('a.ts', text)).toMatchObject([
      { line: 4, code: 'one();', mode: 'run' },
      { line: 6, code: '  two();', mode: 'no-run' },
    ]);
  });
});

describe('expectations', () => {
  test.each([
    ['5', '5'],
    ['=> -1.5', '-1.5'],
    ["'a1'", "'a1'"],
    ["'TIMEOUT', at once", "'TIMEOUT'"],
    ['true', 'true'],
    ["['a', [1]], in order", "['a', [1]]"],
    ['{ ok: true }', '({ ok: true })'],
  ])('%s is a value', (comment, value) => expect(expectation(comment)).toEqual({ value }));

  test.each(['3 attempts', 'anything Disposable', 'undefined behaviour', '5ms later', '[see above]'])(
    '%s is prose',
    (comment) => expect(expectation(comment)).toBeUndefined(),
  );

  test('throws NAME is a refusal', () =>
    expect(expectation('throws BAD_OPTION, at the call')).toEqual({ name: 'BAD_OPTION' }));

  test('an arrow without a value is refused', () => expect(() => expectation('=> some list')).toThrow('no value'));
});

describe('transform', () => {
  const imports = [{ from: 'holdfast', values: new Set(['scope', 'open']), types: new Set(['Scope']) }];
  const transformed = (code: string): string[] =>
    transform(code, imports, './expect.ts', { file: 'a.md', line: 7 }).split('\n');

  test('a value, a refusal and a nested statement are checked, each in its line', () => {
    expect(
      transformed(
        'f();\nconst a = await g(); // 2\nh(() => {\n  i(); // 3\n}); // [4]\nj(); // throws TypeError',
      ).slice(1, -1),
    ).toEqual([
      'f();',
      "const a = $gives((await g()), 2, 'a.md:8'); // 2",
      '$gives((h(() => {',
      "  $gives((i()), 3, 'a.md:10'); // 3",
      "})), [4], 'a.md:11'); // [4]",
      '$throws(() => (j()), "TypeError", \'a.md:12\'); // throws TypeError',
    ]);
  });

  test('names that are used and not made are imported, types as types', () => {
    expect(transformed('const f = (s: Scope) => scope(s.open);')[0]).toContain(
      "import { type Scope, scope } from 'holdfast';",
    );
    expect(transformed("import { scope } from './mine.ts';\nscope(({ open }) => open);")[0]).not.toContain(
      "from 'holdfast'",
    );
  });
});

describe('links', () => {
  test('links in prose are found, with their titles; those in code are not', () => {
    const text = [
      'See [a](b.md#c "the title") and ![p](p.png), not `[x](y)`.',
      '```',
      '[no](no.md)',
      '```',
      '[d]: e.md',
    ].join('\n');
    expect(linksOf(text)).toEqual([
      { line: 1, target: 'b.md#c', title: 'the title' },
      { line: 1, target: 'p.png', title: undefined },
      { line: 5, target: 'e.md', title: undefined },
    ]);
  });

  test('anchors are made as GitHub makes them', () => {
    expect([...anchorsOf('# What `s.go` does, and why\n## Twice\n## Twice\n```\n# no\n```')]).toEqual([
      'what-sgo-does-and-why',
      'twice',
      'twice-1',
    ]);
  });
});
