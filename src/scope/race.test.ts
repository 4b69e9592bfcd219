/** `race` (R11): the first success wins; the losers are cancelled, unwound, and what they still return is disposed of. */
import { describe, expect, test } from 'vitest';
import { recordEvents } from '../testing/index.ts';
import { errorInTime, errorOf, settleInTime } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, suppressedErrors, TimeoutError } from '../index.ts';
import type { Scope, Task } from '../index.ts';

watchUnhandledRejections();

type Contender<T> = (s: Scope) => Promise<T>;

/** Returns `value` after `ms`, or is ended by a cancellation. */
const after =
  <T>(ms: number, value: T): Contender<T> =>
  (s) =>
    s.sleep(ms).then(() => value);

/** Throws `error` after `ms`. */
const failsAfter =
  (ms: number, error: unknown): Contender<never> =>
  async (s) => {
    await s.sleep(ms);
    throw error;
  };

/** Returns what `finish` gives after `ms`, whatever is cancelled meanwhile. */
const deaf =
  <T>(ms: number, finish: () => T): Contender<T> =>
  () =>
    scope((own) => own.sleep(ms)).then(finish);

const throws = (error: unknown) => (): never => {
  throw error;
};

const disposable = (log: unknown[], name: string) => ({ [Symbol.dispose]: () => void log.push(`disposed ${name}`) });

describe('a race', () => {
  test('starts all bodies within the call, in order', async () => {
    const started: number[] = [];
    await scope((s) => {
      const task = s.race([1, 2, 3].map((number) => () => void started.push(number)));
      expect(started).toEqual([1, 2, 3]);
      return task;
    });
  });

  test('takes any iterable of bodies, once', async () => {
    function* bodies(): Generator<() => string> {
      yield () => 'first';
      yield () => 'second';
    }
    expect(await scope((s) => s.race(bodies()))).toBe('first');
    expect(await scope((s) => s.race(new Set([() => 'only'])))).toBe('only');
  });

  test('is won by the first success in time', async () => {
    const settled = await settleInTime(() =>
      scope((s) => s.race([after(30, 'slow'), after(10, 'fast'), after(20, 'middle')])),
    );
    expect(settled).toEqual({ value: 'fast' });
  });

  test('is won by a later success if the first contenders to settle fail', async () => {
    const settled = await settleInTime(() =>
      scope((s) => s.race([failsAfter(10, 'a'), after(30, 'late'), failsAfter(20, 'b')])),
    );
    expect(settled).toEqual({ value: 'late' });
  });

  test('cancels the losers with an AbortError, unwinds them and waits for them', async () => {
    const log: unknown[] = [];
    const settled = await settleInTime(async (time) =>
      scope(async (s) => {
        const prize = await s.race<string>([
          after(10, 'won'),
          async (loser) => {
            loser.defer((exit) => log.push(exit.cancelled));
            loser.defer(() => scope((own) => own.sleep(50)));
            const reason = await errorOf(loser.sleep('1h'));
            log.push(time.now(), reason);
            throw reason;
          },
        ]);
        return [prize, time.now()];
      }),
    );
    expect(settled).toEqual({ value: ['won', 60] });
    expect(log).toEqual([10, expect.any(DOMException), true]);
    expect(log[1]).toMatchObject({ name: 'AbortError', message: 'Another contender won the race' });
  });

  test('may be won by a contender that throws at once and recovers: the others are cancelled as they begin', async () => {
    const recovers = (s: Scope): never => {
      s.defer((exit) => exit.recover('recovered'));
      throw new Error('at once');
    };
    const settled = await settleInTime(async (time) =>
      scope(async (s) => [await s.race([recovers, after(1_000, 'late'), recovers]), time.now()]),
    );
    expect(settled).toEqual({ value: ['recovered', 0] });
  });

  test('tells by an event what losers failed with, before and after the race was won', async () => {
    using events = recordEvents();
    const settled = await settleInTime(() =>
      scope((s) =>
        s.race<string>([
          failsAfter(5, 'before'),
          after(10, 'won'),
          (loser) => loser.sleep('1h').then(() => 'never'),
          async (loser) => {
            await loser.sleep('1h').catch(() => {});
            throw 'after';
          },
        ]),
      ),
    );
    expect(settled).toEqual({ value: 'won' });
    expect(events).toMatchObject([
      { event: 'scope:discarded', error: 'before' },
      { event: 'scope:discarded', error: 'after' },
    ]);
  });

  test('tells nothing of losers that were only cancelled', async () => {
    using events = recordEvents();
    await settleInTime(() => scope((s) => s.race([after(10, 'won'), after(20, 'late'), after(30, 'later')])));
    expect(events).toEqual([]);
  });

  test('tells nothing of a race that is lost: all errors come out', async () => {
    using events = recordEvents();
    const [a, b] = [new Error('a'), new Error('b')];
    await errorOf(scope((s) => s.race([throws(a), throws(b)])));
    expect(events).toEqual([]);
  });

  test('tells of the others when the first body throws a primitive, which cannot keep them', async () => {
    using events = recordEvents();
    const b = new Error('b');
    expect(await errorOf(scope((s) => s.race([throws('a'), throws(b)])))).toBe('a');
    expect(events).toMatchObject([{ event: 'scope:discarded', error: b }]);
  });
});

describe('a race that all lose', () => {
  test("fails with the first body's error, and the others, in the order of the list, in its suppressedErrors", async () => {
    const [a, b, c] = [new Error('a'), new Error('b'), new Error('c')];
    const error = await errorInTime(() =>
      scope((s) => s.race([failsAfter(30, a), failsAfter(10, b), failsAfter(20, c)])),
    );
    expect(error).toBe(a);
    expect(suppressedErrors(a)).toEqual([b, c]);
    expect(suppressedErrors(b)).toEqual([]);
  });

  test('also when all fail at once', async () => {
    const [a, b] = [new Error('a'), new Error('b')];
    const error = await errorOf(scope((s) => s.race([throws(a), throws(b)])));
    expect(error).toBe(a);
    expect(suppressedErrors(a)).toEqual([b]);
  });

  test('fails its scope, caught or not', async () => {
    const error = new Error('lost');
    const thrown = await errorOf(
      scope(async (s) => {
        await s.race([throws(error)]).catch(() => {});
        return 'result';
      }),
    );
    expect(thrown).toBe(error);
  });

  test('passes on whatever was thrown', async () => {
    for (const error of [undefined, null, Number.NaN, 'text']) {
      const thrown = await errorOf(scope((s) => s.race([throws(error), throws(new Error('other'))])));
      expect(Object.is(thrown, error)).toBe(true);
    }
  });
});

describe('what contenders return', () => {
  test('is disposed of if it comes from a loser, before the race ends', async () => {
    const log: unknown[] = [];
    const winner = { name: 'winner', ...disposable(log, 'winner') };
    const settled = await settleInTime(async (time) =>
      scope(async (s) => {
        const prize = await s.race<unknown>([
          after(10, winner),
          deaf(30, () => disposable(log, 'loser')),
          deaf(20, () => ({
            [Symbol.dispose]: () => log.push('the wrong one'),
            async [Symbol.asyncDispose]() {
              log.push(`disposal of an asynchronous loser begins`);
              await scope((own) => own.sleep(100));
              log.push(`disposed asynchronous loser`);
            },
          })),
        ]);
        log.push(time.now());
        return prize;
      }),
    );
    expect(settled).toEqual({ value: winner });
    expect(log).toEqual([
      'disposed loser',
      'disposal of an asynchronous loser begins',
      'disposed asynchronous loser',
      130,
    ]);
  });

  test('is left alone if it cannot be disposed of', async () => {
    const settled = await settleInTime(() =>
      scope((s) =>
        s.race<unknown>([
          after(10, 'prize'),
          ...[null, undefined, 0, 'text', {}, { [Symbol.dispose]: 'no function' }].map((value) =>
            deaf(20, () => value),
          ),
        ]),
      ),
    );
    expect(settled).toEqual({ value: 'prize' });
  });

  test('is kept if it is the prize: neither the race nor the scope disposes of it', async () => {
    const log: unknown[] = [];
    const prize = disposable(log, 'prize');
    expect(await scope((s) => s.race([() => prize]))).toBe(prize);
    expect(log).toEqual([]);
  });

  test('is disposed of, the prize as well, if the race fails in the end: the disposal of a loser threw', async () => {
    const log: unknown[] = [];
    const error = new Error('dispose');
    const thrown = await errorInTime(() =>
      scope((s) =>
        s.race<Disposable>([
          after(10, disposable(log, 'prize')),
          deaf(20, () => ({ [Symbol.dispose]: throws(error) })),
          deaf(30, () => disposable(log, 'loser')),
        ]),
      ),
    );
    expect(thrown).toBe(error);
    expect(log).toEqual(['disposed loser', 'disposed prize']);
  });

  test('may throw when it is looked at: as the prize it is not looked at, from a loser it counts as a cleanup that failed', async () => {
    const hostile = Object.defineProperty({}, Symbol.asyncDispose, { get: throws('getter') });
    expect(await scope((s) => s.race([() => hostile]))).toBe(hostile);
    const error = await errorInTime(() => scope((s) => s.race<unknown>([after(10, 'prize'), deaf(20, () => hostile)])));
    expect(error).toBe('getter');
  });
});

describe('cancellation of a race', () => {
  test('by its task ends all contenders, and does not fail the scope', async () => {
    const reason = new Error('not needed');
    const seen: unknown[] = [];
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const contender = async (it: Scope): Promise<void> => {
          seen.push(await errorOf(it.sleep('1h')));
          it.throwIfAborted();
        };
        const task: Task<void> = s.race([contender, contender]);
        task.cancel(reason);
        expect(await errorOf(task)).toBe(reason);
        return 'result';
      }),
    );
    expect(seen).toEqual([reason, reason]);
    expect(settled).toEqual({ value: 'result' });
  });

  test('by its scope comes out as the reason, with nothing beside it', async () => {
    const reason = new Error('cancelled');
    const error = await errorInTime(() =>
      scope((s) => {
        void s.race([after(10, 'a'), after(20, 'b')]);
        s.cancel(reason);
      }),
    );
    expect(error).toBe(reason);
    expect(suppressedErrors(reason)).toEqual([]);
  });

  test('by the deadline of its scope comes out as the TimeoutError', async () => {
    const error = await errorInTime(() => scope({ timeout: 5 }, (s) => s.race([after(10, 'a'), after(20, 'b')])));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(suppressedErrors(error)).toEqual([]);
  });

  test('leaves a success that still arrives a success', async () => {
    const settled = await settleInTime(() =>
      scope((s) => {
        const task = s.race([after(10, 'ended'), deaf(20, () => 'in time')]);
        s.cancel();
        return task;
      }),
    );
    expect(settled).toEqual({ value: 'in time' });
  });

  test('puts what a contender failed with by itself before the reason, which adds nothing', async () => {
    const [reason, first, second] = [new Error('cancelled'), new Error('first'), new Error('second')];
    const error = await errorInTime(() =>
      scope((s) => {
        void s.race([after(10, 'ended'), deaf(20, throws(first)), after(10, 'ended'), deaf(20, throws(second))]);
        s.cancel(reason);
      }),
    );
    expect(error).toBe(first);
    expect(suppressedErrors(first)).toEqual([second]);
    expect(suppressedErrors(reason)).toEqual([]);
  });

  test('before it begins runs no body', async () => {
    const error = await errorOf(
      scope((s) => {
        s.cancel('reason');
        return s.race([() => expect.fail('ran')]);
      }),
    );
    expect(error).toBe('reason');
  });

  test('by its first contender, as it begins, keeps the others from beginning', async () => {
    const error = await errorOf(
      scope((s) =>
        s.race<unknown>([
          () => {
            s.cancel('reason');
            throw 'own';
          },
          () => expect.fail('ran'),
        ]),
      ),
    );
    expect(error).toBe('own');
  });

  test('by a contender, of itself, is a contender that lost', async () => {
    const cancelsItself = (s: Scope): Promise<string> => {
      s.cancel('gives up');
      return s.sleep('1h').then(() => 'never');
    };
    const settled = await settleInTime(() => scope((s) => s.race([cancelsItself, after(10, 'won')])));
    expect(settled).toEqual({ value: 'won' });
    expect(await errorOf(scope((s) => s.race([cancelsItself])))).toBe('gives up');
  });
});
