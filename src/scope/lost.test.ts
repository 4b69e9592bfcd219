/** What the promise "nothing is silently lost" asks of scopes where an error or a result could slip away. */
import { getEventListeners } from 'node:events';
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { suppressedErrors } from '../foundation/index.ts';
import { recordEvents, virtualTime } from '../testing/index.ts';
import { contextKey, scope, scopeSync, type Scope } from './index.ts';

const caught = (promise: Promise<unknown>): Promise<unknown> => promise.then(undefined, (error: unknown) => error);

describe('an error that came second to a primitive, which cannot keep it, is told by scope:discarded', () => {
  test('of a child', async () => {
    using events = recordEvents();
    const second = new Error('data corrupted');
    const error = await caught(
      scope((s) => {
        void s.go(async () => {
          await Promise.resolve();
          throw second;
        });
        void s.go(() => {
          throw 'text';
        });
      }),
    );
    expect(error).toBe('text');
    expect(events).toMatchObject([{ event: 'scope:discarded', error: second }]);
  });

  test('of one that a primitive replaced', async () => {
    using events = recordEvents();
    const first = new Error('first');
    const replaced = scope({ name: 'order' }, (s) => {
      s.defer((exit) => exit.fail('text'));
      throw first;
    });
    expect(await caught(replaced)).toBe('text');
    expect(events).toMatchObject([{ event: 'scope:discarded', error: first, name: 'order' }]);
  });

  test('of one that a primitive replaced, in scopeSync', () => {
    using events = recordEvents();
    const first = new Error('first');
    expect(() =>
      scopeSync((s) => {
        s.defer((exit) => exit.fail('text'));
        throw first;
      }),
    ).toThrow('text');
    expect(events).toMatchObject([{ event: 'scope:discarded', error: first }]);
  });

  test('and one that was recovered on purpose is not told', async () => {
    using events = recordEvents();
    await scope((s) => {
      s.defer((exit) => void exit.recover());
      throw new Error('expected');
    });
    expect(events).toEqual([]);
  });
});

describe('a promise as the result of an exit is refused', () => {
  test.each([
    ['recover', (exit: { recover(value: unknown): unknown }, value: unknown) => exit.recover(value)],
    ['set', (exit: { set(value: unknown): void }, value: unknown) => exit.set(value)],
  ])('%s: it would settle when nobody looks any more', async (_, verb) => {
    const first = new Error('first');
    const error = await caught(
      scope((s) => {
        s.defer((exit) => void verb(exit, Promise.reject(new Error('fallback failed'))));
        throw first;
      }),
    );
    expect(error).toBe(first);
    expect(suppressedErrors(first)).toMatchObject([{ code: 'BAD_OPTION', option: 'the result of an exit' }]);
  });
});

describe('an iterator that fails in a map that is cancelled', () => {
  test.each([1, 2, Infinity])('fails the map, at a concurrency of %s', async (concurrency) => {
    const lost = new Error('connection lost');
    function* pages(): Generator<number> {
      yield 1;
      yield 2;
      throw lost;
    }
    const outer = new AbortController();
    const error = await caught(
      scope({ signal: outer.signal }, (s) =>
        s.map(pages(), { concurrency }, async (page) => {
          if (page === 2) outer.abort(new Error('stop'));
          await Promise.resolve();
          return page;
        }),
      ),
    );
    expect(error).toBe(lost);
  });

  test('is kept beside the failure of an item', async () => {
    const [first, lost] = [new Error('item'), new Error('connection lost')];
    const iterator = {
      count: 0,
      next(): IteratorResult<number> {
        if (this.count++ < 2) return { done: false, value: this.count };
        throw lost;
      },
      [Symbol.iterator]() {
        return this;
      },
    };
    const error = await caught(
      scope((s) =>
        s.map(iterator, { concurrency: 2 }, async (item) => {
          if (item === 1) throw first;
          await Promise.resolve();
          await Promise.resolve();
          return item;
        }),
      ),
    );
    expect(error).toBe(first);
    expect(suppressedErrors(first)).toEqual([lost]);
  });
});

describe('what is linked to a scope that has ended', () => {
  async function endedScope(signal: AbortSignal): Promise<Scope> {
    let ended: Scope | undefined;
    await scope({ signal }, (s) => {
      ended = s;
      void s.signal;
    });
    return ended as Scope;
  }

  test('gets cancellation from above it', async () => {
    await virtualTime(async () => {
      const root = new AbortController();
      const ended = await endedScope(root.signal);
      const reason = new Error('stop');
      const linked = caught(scope({ signal: ended }, (s) => s.sleep('1h')));
      const linkedBySignal = caught(scope({ signal: ended.signal }, (s) => s.sleep('1h')));
      root.abort(reason);
      expect([await linked, await linkedBySignal]).toEqual([reason, reason]);
      expect(getEventListeners(root.signal, 'abort')).toEqual([]);
    });
  });

  test('and its own signal hears nothing any more', async () => {
    const root = new AbortController();
    const ended = await endedScope(root.signal);
    root.abort();
    expect(ended.signal.aborted).toBe(false);
  });

  test('goes on below the scope above when its own ends', async () => {
    await virtualTime(async () => {
      const root = new AbortController();
      let linked: Promise<unknown> | undefined;
      await scope({ signal: root.signal }, (s) => {
        linked = caught(scope({ signal: s }, (inner) => inner.sleep('1h')));
      });
      root.abort('stop');
      expect(await linked).toBe('stop');
    });
  });

  test('is free when nothing was above', async () => {
    await virtualTime(async (time) => {
      let linked: Promise<unknown> | undefined;
      let ended: Scope | undefined;
      await scope((s) => {
        ended = s;
        linked = scope({ signal: s }, (inner) => inner.sleep('1h').then(() => 'slept'));
      });
      const later = scope({ signal: ended }, (inner) => inner.sleep('1h').then(() => 'slept too'));
      await time.advance('1h');
      expect([await linked, await later]).toEqual(['slept', 'slept too']);
    });
  });
});

test('values with a hole, or an entry of another shape, register nothing', async () => {
  const { signal } = new AbortController();
  const key = contextKey<number>('key');
  for (const values of [Array(1), [{ 0: key, 1: 2 }], [[key]], [[key, 1, 2]], [null]]) {
    expect(() => scope({ signal, values: values as never }, () => 1)).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'values' }),
    );
  }
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a contender that has won at once leaves the others unstarted', async () => {
  let started = false;
  const won = await scope((s) =>
    s.race([
      (c) => {
        c.defer((exit) => void exit.recover('won'));
        throw new Error('lost');
      },
      () => (started = true),
    ]),
  );
  expect([won, started]).toEqual(['won', false]);
});

test('an overrun cleanup is told in the async context of its scope', async () => {
  const storage = new AsyncLocalStorage<string>();
  await virtualTime(async (time) => {
    const seen: unknown[] = [];
    const events = recordEvents();
    const push = events.push.bind(events);
    Object.defineProperty(events, 'push', {
      value: (...all: never[]) => (seen.push(storage.getStore()), push(...all)),
    });
    const ended = storage.run('mine', () =>
      caught(scope({ cleanupTimeout: '1s' }, (s) => s.defer(() => new Promise(() => {})))),
    );
    await time.advance('1s');
    await ended;
    events[Symbol.dispose]();
    expect(events.map(({ event }) => event)).toEqual(['scope:cleanup-overran', 'scope:cleanup-failed']);
    expect(seen).toEqual(['mine', 'mine']);
  });
});

test('a deadline shows only where it is kept: the option recover has none', async () => {
  const seen: number[] = [];
  await scope(
    {
      cleanupTimeout: '30s',
      recover: () => undefined,
    },
    (s) => {
      s.defer(async () => seen.push(s.timeLeft() > 29_000 ? 1 : 0));
      throw new Error('expected');
    },
  );
  expect(seen).toEqual([1]);
  const left = await scope({ cleanupTimeout: '30s', recover: () => inner?.timeLeft() }, (s) => {
    inner = s;
    throw new Error('expected');
  });
  expect(left).toBe(Infinity);
});

let inner: Scope | undefined;
