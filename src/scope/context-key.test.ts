/** Values that a tree of scopes carries (`get`, `values`). */
import { describe, expect, test } from 'vitest';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { contextKey, scope, type Scope } from '../index.ts';

watchUnhandledRejections();

describe('a value', () => {
  const traceId = contextKey<string>('trace_id');

  test('is found in the scope that it was given to, and nowhere else', async () => {
    await scope({ values: [[traceId, 'a1']] }, (s) => expect(s.get(traceId)).toBe('a1'));
    await scope((s) => expect(s.get(traceId)).toBe(undefined));
    await scope({ values: [] }, (s) => expect(s.get(traceId)).toBe(undefined));
  });

  test('is inherited by everything below: children, items of a map, contenders of a race, linked scopes', async () => {
    const read = (s: Scope): string | undefined => s.get(traceId);
    await scope({ values: [[traceId, 'a1']] }, async (s) => {
      expect(await s.go(read)).toBe('a1');
      expect(await s.go((child) => child.go(read))).toBe('a1');
      expect(await s.map([1], { concurrency: 1 }, (_, child) => read(child))).toEqual(['a1']);
      expect(await s.race([read])).toBe('a1');
      expect(await scope({ signal: s }, read)).toBe('a1');
      expect(await scope(read)).toBe(undefined); // neither a child nor linked
    });
  });

  test('is found in cleanups, in the option recover, and after the end', async () => {
    const seen: unknown[] = [];
    let ended: Scope | undefined;
    await scope({ values: [[traceId, 'a1']], recover: () => seen.push(ended?.get(traceId)) }, (s) => {
      ended = s;
      s.defer(() => seen.push(s.get(traceId)));
      throw new Error('body');
    });
    seen.push(ended?.get(traceId));
    expect(seen).toEqual(['a1', 'a1', 'a1']);
  });

  test('given nearer hides the one above, for that scope and below, and undefined is a value as well', async () => {
    await scope({ values: [[traceId, 'outer']] }, async (s) => {
      await s.go({ values: [[traceId, 'inner']] }, async (child) => {
        expect(child.get(traceId)).toBe('inner');
        expect(await child.go((below) => below.get(traceId))).toBe('inner');
      });
      await scope({ signal: s, values: [[traceId, undefined]] as never }, (linked) => {
        expect(linked.get(traceId)).toBe(undefined);
      });
      expect(s.get(traceId)).toBe('outer');
    });
  });

  test('given twice in one list is the last one', async () => {
    const values = [
      [traceId, 'first'],
      [traceId, 'last'],
    ] as const;
    await scope({ values }, (s) => expect(s.get(traceId)).toBe('last'));
  });

  test('is the value itself, whatever it is', async () => {
    const key = contextKey<unknown>('any');
    for (const value of [0, '', null, false, Number.NaN, {}, () => {}, Symbol('value')]) {
      await scope({ values: [[key, value]] }, (s) => expect(Object.is(s.get(key), value)).toBe(true));
    }
  });

  test('is read from the list at the call: what becomes of the list changes nothing', async () => {
    const values: [typeof traceId, string][] = [[traceId, 'a1']];
    await scope({ values }, (s) => {
      values[0] = [traceId, 'changed'];
      values.push([traceId, 'added']);
      expect(s.get(traceId)).toBe('a1');
    });
  });

  test('is found through many keys and many scopes', async () => {
    const keys = Array.from({ length: 50 }, (_, i) => contextKey<number>(`key ${i}`));
    const nest = async (s: Scope, depth: number): Promise<void> => {
      const [key, next] = [keys[depth], keys[depth + 1]];
      if (key === undefined) return;
      expect(s.get(key)).toBe(depth);
      if (next !== undefined) expect(s.get(next)).toBe(undefined);
      expect(s.get(keys[0] as typeof key)).toBe(0);
      if (next !== undefined) await s.go({ values: [[next, depth + 1]] }, (child) => nest(child, depth + 1));
    };
    await scope({ values: [[keys[0] as (typeof keys)[0], 0]] }, (s) => nest(s, 0));
  });
});

describe('a key', () => {
  test('has a name for people, which does not identify it', async () => {
    const [a, b] = [contextKey<string>('same'), contextKey<string>('same')];
    expect(a.name).toBe('same');
    await scope({ values: [[a, 'of a']] }, (s) => {
      expect(s.get(a)).toBe('of a');
      expect(s.get(b)).toBe(undefined);
    });
  });
});
