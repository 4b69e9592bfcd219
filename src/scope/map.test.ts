/** `map` (R11): a child for every item, some at a time, results in the order of the items. */
import { describe, expect, test } from 'vitest';
import { errorInTime, errorOf, settleInTime } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, suppressedErrors, TimeoutError } from '../index.ts';
import type { Scope } from '../index.ts';

watchUnhandledRejections();

const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));

const throws = (error: unknown) => (): never => {
  throw error;
};

/** An endless iterator that tells what is done with it. */
class Source implements Iterable<number> {
  readonly calls: string[] = [];
  private drawn = 0;
  private readonly over: { next?: () => never; return?: () => never };

  constructor(over: { next?: () => never; return?: () => never } = {}) {
    this.over = over;
  }

  [Symbol.iterator](): Iterator<number> {
    return {
      next: () => {
        this.calls.push(`next ${this.drawn}`);
        if (this.drawn === 3) this.over.next?.();
        return { done: false, value: this.drawn++ };
      },
      return: () => {
        this.calls.push('return');
        this.over.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}

describe('map', () => {
  test('gives the results in the order of the items, whatever the order in which they come', async () => {
    const settled = await settleInTime(() =>
      scope((s) =>
        s.map([30, 10, 20], { concurrency: 3 }, async (ms, child) => {
          await child.sleep(ms);
          return `after ${ms}`;
        }),
      ),
    );
    expect(settled).toEqual({ value: ['after 30', 'after 10', 'after 20'] });
  });

  test('of nothing is an empty list', async () => {
    expect(await scope((s) => s.map([], { concurrency: 1 }, () => expect.fail('ran')))).toEqual([]);
  });

  test('takes any iterable, and any result', async () => {
    function* generate(): Generator {
      yield* [undefined, null, 0];
    }
    expect(await scope((s) => s.map(generate(), { concurrency: 2 }, (it) => it))).toEqual([undefined, null, 0]);
    expect(await scope((s) => s.map('ab', { concurrency: 9 }, (it) => it.toUpperCase()))).toEqual(['A', 'B']);
    expect(await scope((s) => s.map(new Map([[1, 2]]), { concurrency: 1 }, ([key]) => key))).toEqual([1]);
  });

  test('starts the items in order, at most concurrency at once, each as soon as there is room', async () => {
    const log: string[] = [];
    await settleInTime(async (time) =>
      scope((s) =>
        s.map([10, 30, 10, 10, 50], { concurrency: 2 }, async (ms, child) => {
          log.push(`${time.now()} begins ${ms}`);
          await child.sleep(ms);
        }),
      ),
    );
    expect(log).toEqual(['0 begins 10', '0 begins 30', '10 begins 10', '20 begins 10', '30 begins 50']);
  });

  test('starts all at once when concurrency is Infinity, within the call', async () => {
    const started: number[] = [];
    await scope((s) => {
      const task = s.map([1, 2, 3, 4, 5], { concurrency: Infinity }, (item) => void started.push(item));
      expect(started).toEqual([1, 2, 3, 4, 5]);
      return task;
    });
  });

  test('gives each item a scope of its own, whose cleanups run before the item counts as done', async () => {
    const log: string[] = [];
    const result = await scope((s) =>
      s.map(['a', 'b'], { concurrency: 1 }, (item, child) => {
        expect(child).not.toBe(s);
        child.defer(async () => void log.push(`cleanup of ${item}`));
        log.push(item);
        return item;
      }),
    );
    expect(log).toEqual(['a', 'cleanup of a', 'b', 'cleanup of b']);
    expect(result).toEqual(['a', 'b']);
  });
});

describe('map draws items', () => {
  test('one by one when there is room, so they may be endless', async () => {
    const source = new Source();
    let finished = 0;
    const ahead: number[] = [];
    const error = await errorInTime(() =>
      scope((s) =>
        s.map(source, { concurrency: 2 }, async (item, child) => {
          ahead.push(source.calls.length - finished);
          await child.sleep(10);
          if (item === 5) throw 'enough';
          finished++;
        }),
      ),
    );
    expect(error).toBe('enough');
    expect(ahead).toEqual([1, 2, 2, 2, 2, 2, 2]);
    expect(source.calls.at(-1)).toBe('return');
    expect(source.calls.filter((call) => call === 'return')).toHaveLength(1);
  });

  test('and closes an iterator that it leaves early, after the items have ended', async () => {
    const log: string[] = [];
    function* generate(): Generator<number> {
      try {
        yield 1;
        yield 2;
        yield 3;
      } finally {
        log.push('closed');
      }
    }
    await errorInTime(() =>
      scope((s) =>
        s.map(generate(), { concurrency: 2 }, async (item, child) => {
          child.defer(() => log.push(`cleanup of ${item}`));
          if (item === 1) throw new Error('first');
          await deaf(50);
        }),
      ),
    );
    expect(log).toEqual(['cleanup of 1', 'cleanup of 2', 'closed']);
  });

  test('and does not close one that is done', async () => {
    const calls: string[] = [];
    const items = [1, 2, 3];
    const iterator = {
      next: () => {
        calls.push('next');
        return items.length > 0 ? { done: false, value: items.shift() } : { done: true, value: undefined };
      },
      return: () => {
        calls.push('return');
        return { done: true, value: undefined };
      },
    } as Iterator<number>;
    const result = await scope((s) => s.map({ [Symbol.iterator]: () => iterator }, { concurrency: 2 }, (it) => it));
    expect(result).toEqual([1, 2, 3]);
    // Once it is done it is not asked again, as in for…of.
    expect(calls).toEqual(['next', 'next', 'next', 'next']);
  });

  test('and takes any true value of done for done', async () => {
    const answers = [{ done: 1, value: 1 }];
    const iterator = { next: () => answers.shift() ?? expect.fail('asked again') } as unknown as Iterator<number>;
    expect(await scope((s) => s.map({ [Symbol.iterator]: () => iterator }, { concurrency: 2 }, (it) => it))).toEqual(
      [],
    );
  });

  test('and may leave one that has no return', async () => {
    const items = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }) }) };
    expect(await errorOf(scope((s) => s.map(items, { concurrency: 2 }, throws('failure'))))).toBe('failure');
  });

  test('and fails with what the iterator throws, which cancels the items that run; it is neither asked again nor closed', async () => {
    const error = new Error('next');
    const source = new Source({ next: throws(error) });
    const seen: unknown[] = [];
    const thrown = await errorInTime(() =>
      scope((s) =>
        s.map(source, { concurrency: 2 }, async (item, child) => {
          if (item < 2) return child.sleep(item * 10);
          seen.push(await errorOf(child.sleep('1h')));
          return child.throwIfAborted();
        }),
      ),
    );
    expect(thrown).toBe(error);
    expect(seen).toEqual([error]);
    expect(source.calls).toEqual(['next 0', 'next 1', 'next 2', 'next 3']);
  });

  test('and fails with what the iterator throws at its first item', async () => {
    const items = { [Symbol.iterator]: () => ({ next: throws('at once') }) };
    expect(await errorOf(scope((s) => s.map(items, { concurrency: 3 }, () => expect.fail('ran'))))).toBe('at once');
  });

  test('and fails with what making the iterator throws', async () => {
    const items = { [Symbol.iterator]: throws('no iterator') };
    const error = await errorOf(
      scope(async (s) => {
        const task = s.map(items, { concurrency: 1 }, () => {});
        expect(await errorOf(task)).toBe('no iterator');
      }),
    );
    expect(error).toBe('no iterator');
  });

  test('and counts what closing the iterator throws as a cleanup that failed', async () => {
    const [first, closing] = [new Error('first'), new Error('closing')];
    const source = new Source({ return: throws(closing) });
    const error = await errorOf(scope((s) => s.map(source, { concurrency: 1 }, throws(first))));
    expect(error).toBe(first);
    expect(suppressedErrors(first)).toEqual([closing]);
  });
});

describe('the first failure of an item', () => {
  test('cancels the others and is the failure of the whole, the same object; no more items begin', async () => {
    const error = new Error('second item');
    const log: unknown[] = [];
    const thrown = await errorInTime(async (time) =>
      scope(async (s) => {
        s.defer((exit) => log.push(time.now(), exit.error));
        await s
          .map([1, 2, 3, 4, 5], { concurrency: 3 }, async (item, child) => {
            log.push(`begins ${item}`);
            if (item === 2) {
              await child.sleep(10);
              throw error;
            }
            log.push(await errorOf(child.sleep('1h')));
            child.throwIfAborted();
          })
          .catch(() => {});
        return 'result';
      }),
    );
    expect(thrown).toBe(error);
    expect(log).toEqual(['begins 1', 'begins 2', 'begins 3', error, error, 10, error]);
    expect(suppressedErrors(error)).toEqual([]);
  });

  test('has the failures that items still come to in its suppressedErrors', async () => {
    const [first, second] = [new Error('first'), new Error('second')];
    const error = await errorInTime(() =>
      scope((s) =>
        s.map([second, first], { concurrency: 2 }, async (it) => {
          await deaf(it === first ? 10 : 20);
          throw it;
        }),
      ),
    );
    expect(error).toBe(first);
    expect(suppressedErrors(first)).toEqual([second]);
  });

  test('may be thrown at once, and be any value', async () => {
    for (const error of [undefined, null, Number.NaN, 'text']) {
      const thrown = await errorOf(scope((s) => s.map([1, 2], { concurrency: 1 }, throws(error))));
      expect(Object.is(thrown, error)).toBe(true);
    }
  });

  test('may be an item that cancels itself: the whole has no result for it', async () => {
    const error = await errorOf(
      scope((s) =>
        s.map([1, 2], { concurrency: 1 }, (_, child) => {
          child.cancel('gives up');
          return child.sleep(1);
        }),
      ),
    );
    expect(error).toBe('gives up');
  });
});

describe('cancellation of a map', () => {
  test('by its task ends the items, begins no more, closes the iterator, and does not fail the scope', async () => {
    const source = new Source();
    const reason = new Error('not needed');
    const seen: unknown[] = [];
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const task = s.map(source, { concurrency: 2 }, async (_, child) => {
          seen.push(await errorOf(child.sleep('1h')));
          child.throwIfAborted();
        });
        task.cancel(reason);
        expect(await errorOf(task)).toBe(reason);
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
    expect(seen).toEqual([reason, reason]);
    expect(source.calls).toEqual(['next 0', 'next 1', 'return']);
  });

  test('by its scope comes out as the reason; by the deadline as the TimeoutError', async () => {
    const reason = new Error('cancelled');
    const waits = (_: number, child: Scope): Promise<void> => child.sleep('1h');
    const cancelled = await errorInTime(() =>
      scope((s) => {
        void s.map([1, 2, 3], { concurrency: 2 }, waits);
        s.cancel(reason);
      }),
    );
    expect(cancelled).toBe(reason);
    expect(suppressedErrors(reason)).toEqual([]);
    const expired = await errorInTime(() =>
      scope({ timeout: 5 }, (s) => s.map([1, 2, 3], { concurrency: Infinity }, waits)),
    );
    expect(expired).toBeInstanceOf(TimeoutError);
  });

  test('leaves a map whose items all succeed nevertheless a success', async () => {
    const settled = await settleInTime(() =>
      scope((s) => {
        const task = s.map([1, 2], { concurrency: 2 }, async (item) => {
          await deaf(10);
          return item;
        });
        s.cancel();
        return task;
      }),
    );
    expect(settled).toEqual({ value: [1, 2] });
  });

  test('fails a map that had items left, though those that ran have succeeded; no other runs', async () => {
    const reason = new Error('cancelled');
    const ran: number[] = [];
    const error = await errorInTime(() =>
      scope((s) => {
        const task = s.map([1, 2, 3, 4], { concurrency: 2 }, async (item) => {
          ran.push(item);
          await deaf(10);
        });
        s.cancel(reason);
        return task;
      }),
    );
    expect(error).toBe(reason);
    expect(ran).toEqual([1, 2]);
  });

  test("puts an item's own error before the reason", async () => {
    const [reason, own] = [new Error('cancelled'), new Error('own')];
    const error = await errorInTime(() =>
      scope((s) => {
        void s.map([1, 2], { concurrency: 2 }, async (item, child) => {
          if (item === 1) return child.sleep('1h');
          await deaf(10);
          throw own;
        });
        s.cancel(reason);
      }),
    );
    expect(error).toBe(own);
    expect(suppressedErrors(own)).toEqual([]);
  });

  test('before it begins draws nothing', async () => {
    const items = { [Symbol.iterator]: () => expect.fail('asked for an iterator') };
    const error = await errorOf(
      scope((s) => {
        s.cancel('reason');
        return s.map(items, { concurrency: 1 }, () => expect.fail('ran'));
      }),
    );
    expect(error).toBe('reason');
  });

  test('as the iterator is made draws nothing, and is no success', async () => {
    const error = await errorOf(
      scope((s) => {
        const items = {
          [Symbol.iterator]: () => {
            s.cancel('reason');
            return { next: () => expect.fail('drew an item') };
          },
        };
        return s.map(items, { concurrency: 2 }, () => expect.fail('ran'));
      }),
    );
    expect(error).toBe('reason');
  });

  test('leaves no hole in the results for an item that had cancelled itself: the reason comes out', async () => {
    const reason = new Error('cancelled');
    const error = await errorInTime(() =>
      scope((s) => {
        const task = s.map([1], { concurrency: 2 }, async (_, child) => {
          child.cancel('gives up');
          await deaf(10);
          child.throwIfAborted();
        });
        s.cancel(reason);
        return task;
      }),
    );
    expect(error).toBe(reason);
  });

  test('by its first item, as that begins, keeps the others from beginning', async () => {
    const ran: number[] = [];
    const error = await errorOf(
      scope((s) =>
        s.map([1, 2, 3], { concurrency: 3 }, (item, child) => {
          ran.push(item);
          s.cancel('reason');
          child.throwIfAborted();
        }),
      ),
    );
    expect(error).toBe('reason');
    expect(ran).toEqual([1]);
  });
});
