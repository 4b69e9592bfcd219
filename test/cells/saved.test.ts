/** What layers have saved is read by every later version; what is no such thing is refused, and changes nothing. See docs/reference/saved-state.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../../src/testing/index.ts';
import { SAVED, type Savable } from './saved.ts';

const folder = new URL('saved/', import.meta.url);

const saved = (file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`${file}.json`, folder), 'utf8')) as Record<string, unknown>;

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** The entries of one layer are those that are read by the same function. */
const layers = Map.groupBy(SAVED, ({ file }) => file.replace(/-\d.*/, ''));

test('every file is in the list, and the other way round', () => {
  const files = readdirSync(folder).map((name) => name.replace('.json', ''));
  expect(files.sort()).toEqual(SAVED.map(({ file }) => file).sort());
});

describe.each(SAVED)('$file', ({ file, make, read, knows, known }) => {
  test('is what its name says', () => {
    expect(file).toContain(`-${String(saved(file)['version'])}`);
  });

  test('is read, and what it knew is known', async () => {
    await virtualTime(async (time) => {
      expect(await knows(read(saved(file)))).toEqual(known);
      await time.runAll();
    });
  });

  test('says something that a new one does not know', async () => {
    await virtualTime(async (time) => {
      expect(await knows(read())).not.toEqual(known);
      await time.runAll();
    });
  });

  test.runIf(make !== undefined)('is what the code of today writes', async () => {
    expect(await virtualTime(async (time) => throughJson(await make!(time)))).toEqual(saved(file));
  });
});

test.each([...layers])('the version that %s writes has a file', (_layer, entries) => {
  const versions = entries.map(({ file }) => saved(file)['version']);
  for (const { read } of entries) expect(versions).toContain(read().toJSON().version);
});

/** What JSON can hold, and no version of ours has ever written. */
const HOSTILE: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e308,
  '1',
  '',
  [],
  [null],
  [[1e308]],
  {},
  JSON.parse('{"__proto__":{"version":1},"length":9007199254740991}'),
];

/** Every copy of `value` in which one thing, at any depth, is another one or is missing. */
function* twisted(value: unknown): Generator {
  yield* HOSTILE;
  if (value === null || typeof value !== 'object') return;
  for (const key of Object.keys(value)) {
    const part = (value as Record<string, unknown>)[key];
    const withPart = (other: unknown): unknown =>
      Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other };
    for (const other of twisted(part)) yield withPart(other);
    if (!Array.isArray(value)) yield Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
  }
}

/** No number is lost, negative, or without end. */
function isSane(value: unknown): boolean {
  if (typeof value === 'number') return value >= 0 && value < Infinity;
  return value === null || typeof value !== 'object' || Object.values(value).every(isSane);
}

describe.each(SAVED)('what is like $file', ({ file, read }) => {
  const BAD = expect.objectContaining({ code: 'BAD_OPTION', option: expect.stringMatching(/^restore/) as string });

  test('and of a version that nobody knows is refused', () => {
    for (const version of [undefined, null, 0, -1, 1.5, 2, 1000, '1', [1], { valueOf: 1 }, true])
      expect(() => read({ ...saved(file), version }), `version ${JSON.stringify(version)}`).toThrow(BAD);
  });

  test('but for one thing is refused, or makes one that works', async () => {
    let [refused, read0] = [0, 0];
    await virtualTime(async (time) => {
      for (const snapshot of twisted(saved(file))) {
        let restored: Savable;
        try {
          restored = read(snapshot);
        } catch (error) {
          expect(error, JSON.stringify(snapshot)).toEqual(BAD);
          refused++;
          continue;
        }
        read0++;
        expect(isSane(throughJson(restored)), JSON.stringify(snapshot)).toBe(true);
        // What it saves in turn is read.
        read(throughJson(restored));
      }
      await time.runAll();
    });
    expect(refused).toBeGreaterThan(HOSTILE.length);
    expect(refused + read0).toBeGreaterThan(2 * HOSTILE.length);
  });
});
