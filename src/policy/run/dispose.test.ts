/** Results that nobody gets (P1.6): they are disposed of, if they are disposable; one that is handed on is not. */
import { describe, expect, test } from 'vitest';
import { recordEvents, scripted, virtualTime } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  constant,
  failWhen,
  fallback,
  policy,
  retry,
  suppressedErrors,
  timeout,
  type Policy,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const bad = failWhen((result: Result) => !result.good);
const throws = (error: unknown) => (): never => {
  throw error;
};

/** A result that says when it was disposed of. */
class Result implements Disposable {
  disposed = 0;
  readonly good: boolean;

  constructor(good = false) {
    this.good = good;
  }

  [Symbol.dispose](): void {
    this.disposed++;
  }
}

describe('a result that was judged a failure', () => {
  test('is disposed of when a retry takes its place, before the back-off', async () => {
    await virtualTime(async (time) => {
      const [first, second] = [new Result(), new Result(true)];
      const call = policy(retry({ backoff: constant(10) }), bad).run(scripted([first, second]));
      await time.advance(5);
      expect(first.disposed).toBe(1);
      await time.runAll();
      expect(await call).toBe(second);
      expect([first.disposed, second.disposed]).toEqual([1, 0]);
    });
  });

  test('is handed on, and not disposed of, when it is the last one', async () => {
    const results = [new Result(), new Result()] as const;
    expect(await policy(retry({ attempts: 2, backoff: zero }), bad).run(scripted(results))).toBe(results[1]);
    expect(results.map(({ disposed }) => disposed)).toEqual([1, 0]);
    const only = new Result();
    expect(await policy(timeout('1h'), bad).run(() => only)).toBe(only);
    expect(only.disposed).toBe(0);
  });

  test('is disposed of once, where more than one stage of the policy sees it', async () => {
    const [first, second] = [new Result(), new Result(true)];
    const made = policy(retry({ backoff: zero }), timeout('1h'), breaker(), timeout('1h'), breaker(), bad);
    expect(await made.run(scripted([first, second]))).toBe(second);
    expect([first.disposed, second.disposed]).toEqual([1, 0]);
  });

  const ends: readonly (readonly [how: string, make: (abort: () => void) => Policy])[] = [
    ['retryIf throws', () => retry({ backoff: zero, retryIf: throws(new Error('hook')) })],
    ['onRetry throws', () => retry({ backoff: zero, onRetry: throws(new Error('hook')) })],
    ['a back-off throws', () => retry({ backoff: throws(new Error('hook')) })],
    ['the judge of a breaker throws', () => breaker({ judge: throws(new Error('hook')) })],
    ['onRetry aborts the call', (abort) => retry({ backoff: zero, onRetry: abort })],
    ['the call is aborted in the back-off', () => retry({ backoff: constant(10) })],
  ];
  test.for(ends)('is disposed of when something else comes out: %s', async ([, make]) => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const result = new Result();
      const made = policy(
        make(() => controller.abort()),
        bad,
      );
      const call = errorOf(made.run(() => result, { signal: controller.signal }));
      await time.advance(5);
      controller.abort();
      expect(await call).not.toBe(result);
      expect(result.disposed).toBe(1);
    });
  });

  test('is not disposed of when a hook throws just that', async () => {
    const result = new Result();
    const made = policy(retry({ retryIf: (error) => throws(error)() }), bad);
    expect(await errorOf(made.run(() => result))).toBe(result);
    const same = policy(failWhen((value) => throws(value)()));
    expect(await errorOf(same.run(() => result))).toBe(result);
    expect(result.disposed).toBe(0);
  });

  test('is disposed of when the value of a fallback takes its place, and left to a function that gets it', async () => {
    const [a, b] = [new Result(), new Result()];
    expect(await policy(fallback('instead'), bad).run(() => a)).toBe('instead');
    expect(
      await policy(
        fallback((result) => result),
        bad,
      ).run(() => b),
    ).toBe(b);
    expect([a.disposed, b.disposed]).toEqual([1, 0]);
  });
});

describe('another result', () => {
  test('is disposed of when failWhen throws, or the judge of a breaker', async () => {
    const [a, b] = [new Result(true), new Result(true)];
    await errorOf(policy(failWhen(throws(new Error('hook')))).run(() => a));
    await errorOf(breaker({ judge: throws(new Error('hook')) }).run(() => b));
    expect([a.disposed, b.disposed]).toEqual([1, 1]);
  });

  test('is disposed of when it comes late, and is not judged', async () => {
    await virtualTime(async (time) => {
      const late = Promise.withResolvers<Result>();
      let judged = 0;
      const made = policy(
        timeout(10),
        failWhen(() => judged++ > 1_000),
      );
      const call = errorOf(made.run(() => late.promise));
      await time.advance(100);
      await call;
      const result = new Result();
      late.resolve(result);
      await time.runAll();
      expect([result.disposed, judged]).toEqual([1, 0]);
    });
  });
});

describe('disposal', () => {
  /** Has a retry replace `first`. */
  const replace = (first: unknown, name?: string): Promise<unknown> =>
    policy(
      retry({ attempts: 2, backoff: zero }),
      failWhen((result) => result === first),
    ).run(scripted([first, 'second']), { name });

  test('prefers the asynchronous disposer, and is waited for by nobody', async () => {
    const log: string[] = [];
    const first = {
      [Symbol.dispose]: () => log.push('the wrong one'),
      [Symbol.asyncDispose]: () => (log.push('disposed'), new Promise(() => {})),
    };
    expect(await replace(first)).toBe('second');
    expect(log).toEqual(['disposed']);
  });

  test('leaves alone what cannot be disposed of', async () => {
    using events = recordEvents();
    for (const first of [null, undefined, 0, 'first', {}, { [Symbol.dispose]: 'no function' }])
      expect(await replace(first)).toBe('second');
    expect(events.filter(({ event }) => event === 'call:disposal-failed')).toEqual([]);
  });

  test('that fails is an event, and nothing else', async () => {
    const error = new Error('dispose');
    const hostile = Object.defineProperty({}, Symbol.asyncDispose, { get: throws(error) });
    for (const first of [
      { [Symbol.dispose]: throws(error) },
      { [Symbol.asyncDispose]: async () => throws(error)() },
      // oxlint-disable-next-line unicorn/no-thenable -- that is what it is
      { [Symbol.asyncDispose]: () => ({ then: throws(error) }) },
      hostile,
    ]) {
      using events = recordEvents();
      expect(await replace(first, 'query')).toBe('second');
      await virtualTime((time) => time.runAll());
      expect(events.filter(({ event }) => event === 'call:disposal-failed')).toMatchObject([{ name: 'query', error }]);
      expect(suppressedErrors(error)).toEqual([]);
    }
    // Nobody listens.
    expect(await replace({ [Symbol.dispose]: throws(error) })).toBe('second');
  });
});
