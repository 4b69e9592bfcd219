import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { expect, inject, test } from 'vitest';

const consumer = inject('consumer');
/**
 * In bytes: minified by rolldown (oxc), compressed by gzip at its best level, which is what most servers send. About 3 % over what
 * docs/decisions/0020-size-of-the-core.md tells: growth is to be seen, and argued for.
 */
const limits = { scope: 6_400, retry: 18_700, core: 31_400 };

/** What a bundler makes for a browser of a module of the consumer's. */
async function bundle(name: string, source: string): Promise<string> {
  const input = join(consumer, `${name}.js`);
  writeFileSync(input, source);
  await using build = await rolldown({ input, platform: 'browser', logLevel: 'silent' });
  const { output } = await build.generate({ format: 'iife', name: 'bundled', minify: true });
  expect(output).toHaveLength(1);
  return output[0].code;
}

const kB = (bytes: number): string => `${(bytes / 1000).toFixed(2)} kB`;

test.for([
  { name: 'scope', what: '{ scope } alone', source: `export { scope } from 'holdfast';` },
  {
    name: 'retry',
    what: '{ policy, retry, timeout }',
    source: `export { scope, policy, retry, timeout } from 'holdfast';`,
  },
  { name: 'core', what: 'the whole core', source: `export * from 'holdfast';` },
] as const)('$what is small and free of Node in a browser', async ({ name, what, source }, t) => {
  const code = await bundle(name, source);
  expect(code).not.toMatch(/\bnode:/);
  const size = gzipSync(code, { level: 9 }).length;
  await t.annotate(`${what}: ${kB(size)} of ${kB(limits[name])}, minified and gzip level 9`, 'measured');
  expect(size, `${what}, minified and compressed by gzip`).toBeLessThanOrEqual(limits[name]);

  // It runs where nothing of Node exists.
  const web = createContext({
    AbortController,
    AbortSignal,
    DOMException,
    Event,
    EventTarget,
    performance,
    queueMicrotask,
    setTimeout,
    clearTimeout,
  });
  const result: unknown = await runInContext(
    `${code}; bundled.scope((s) => { s.defer(() => {}); return s.attempt; })`,
    web,
  );
  expect(result).toBe(1);
});
