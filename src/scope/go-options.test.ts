import { describe, expect, test } from 'vitest';
import { recordEvents, virtualTime } from '../testing/index.ts';
import { contextKey, scope, type Scope } from './index.ts';

describe('go(options, body): a child with options of its own', () => {
  test('has its own deadline, which fails its scope', async () => {
    await virtualTime(async (time) => {
      const outcome = scope((s) => s.go({ timeout: '2s', name: 'slow' }, (child) => child.sleep('1h'))).catch((e) => e);
      await time.advance('2s');
      expect(await outcome).toMatchObject({ code: 'TIMEOUT', of: 'slow', timeoutMs: 2_000 });
    });
  });

  test('recovers its own failure, and its scope goes on', async () => {
    const boom = new Error('boom');
    const recover = (error: unknown): unknown => ['recovered', error];
    const fail = (): never => {
      throw boom;
    };
    expect(await scope(async (s) => [await s.go({ recover }, fail), s.signal.aborted])).toEqual([
      ['recovered', boom],
      false,
    ]);
  });

  test('does not recover when its scope is cancelled', async () => {
    const stop = new Error('stop');
    const result = await scope((s) => {
      void s.go({ recover: () => 'recovered' }, (child) => child.sleep('1h'));
      s.cancel(stop);
      throw stop;
    }).catch((e) => e);
    expect(result).toBe(stop);
  });

  test('has values of its own in front of those of its scope', async () => {
    const [a, b] = [contextKey<string>('a'), contextKey<number>('b')];
    const read = (s: Scope): unknown => [s.get(a), s.get(b)];
    const values = [
      [a, 'outer'],
      [b, 1],
    ] as const;
    const seen = await scope({ values }, async (s) => [await s.go({ values: [[a, 'inner']] }, read), read(s)]);
    expect(seen).toEqual([
      ['inner', 1],
      ['outer', 1],
    ]);
  });

  test('has a name, which its events tell, and a limit for its cleanups', async () => {
    await virtualTime(async (time) => {
      const events = recordEvents();
      const outcome = scope((s) =>
        s.go({ name: 'child', cleanupTimeout: '1s' }, (child) => child.defer(() => new Promise(() => {}))),
      ).catch((e) => e);
      await time.advance('1s');
      expect(await outcome).toMatchObject({ code: 'TIMEOUT' });
      expect(events.map(({ event, name }) => [event, name])).toEqual([
        ['scope:cleanup-overran', 'child'],
        ['scope:cleanup-failed', 'child'],
      ]);
      events[Symbol.dispose]();
    });
  });

  test.each([
    ['signal', { signal: new AbortController().signal }],
    ['timeout', { timeout: -1 }],
    ['recover', { recover: 5 }],
    ['name', { name: 5 }],
    ['values', { values: [['a', 1]] }],
    ['cleanupTimeout', { cleanupTimeout: NaN }],
  ])('refuses a bad %s at the call, and starts nothing', async (option, options) => {
    let started = false;
    await scope((s) => {
      expect(() => s.go(options as never, () => (started = true))).toThrow(
        expect.objectContaining({ code: 'BAD_OPTION', option }),
      );
    });
    expect(started).toBe(false);
  });
});
