/** `fallback` (P8): a value, or what a function makes of the error, in place of a failure of the layers inside it. */
import { describe, expect, test } from 'vitest';
import { nextTurn } from '../../foundation/index.ts';
import { recordEvents } from '../../testing/index.ts';
import { errorOf, settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  attemptsOf,
  breaker,
  constant,
  contextKey,
  failWhen,
  fallback,
  policy,
  retry,
  scope,
  suppressedErrors,
  timeout,
  TimeoutError,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const own = new Error('own');
const throws = (error: unknown) => (): never => {
  throw error;
};

describe('P8 a fallback gives', () => {
  test('a value in place of a failure, whatever was thrown', async () => {
    for (const value of [undefined, null, 0, 'instead', {}, [], Symbol('s')]) {
      for (const error of [own, undefined, 'text', Object.freeze(new Error('frozen'))])
        expect(await fallback(value).run(throws(error))).toBe(value);
    }
  });

  test('what a function makes of the error', async () => {
    const given: unknown[] = [];
    const made = fallback((error) => (given.push(error), 'made'));
    for (const error of [own, undefined, 'text']) expect(await made.run(throws(error))).toBe('made');
    expect(given).toEqual([own, undefined, 'text']);
    expect(await fallback(async (error) => `sorry: ${String(error)}`).run(throws(own))).toBe('sorry: Error: own');
  });

  test('nothing in place of a success', async () => {
    const made = fallback(() => expect.fail('ran'));
    for (const value of [undefined, null, 0, 'result', new Error('a result')])
      expect(await made.run(() => value)).toBe(value);
  });

  test('something when everything inside it has failed: retries, breaker, timeout', async () => {
    let runs = 0;
    const thrice = policy(fallback('instead'), retry({ attempts: 3, backoff: zero }));
    expect(await thrice.run(() => throws((runs++, own))())).toBe('instead');
    expect(runs).toBe(3);
    const open = breaker();
    open.isolate();
    expect(await policy(fallback('instead'), open).run(() => expect.fail('ran'))).toBe('instead');
    const timed = policy(
      fallback((error) => error),
      timeout(10),
    );
    expect(await settleInTime(() => timed.run((s) => s.sleep('1h')))).toEqual({ value: expect.any(TimeoutError) });
  });

  test('an error that knows its attempts', async () => {
    const made = policy(
      fallback((error) => attemptsOf(error).length),
      retry({ attempts: 3, backoff: zero }),
    );
    expect(await made.run((): number => throws(new Error('down'))())).toBe(3);
  });

  test('something in place of a result that failWhen judged a failure', async () => {
    const judge = failWhen((it) => it === 'bad');
    expect(await policy(fallback('instead'), judge).run(() => 'bad')).toBe('instead');
    expect(await policy(fallback('instead'), judge).run(() => 'good')).toBe('good');
    expect(
      await policy(
        fallback((it) => [it]),
        retry({ attempts: 2, backoff: zero }),
        judge,
      ).run(() => 'bad'),
    ).toEqual(['bad']);
  });

  test('a success for the layers outside it', async () => {
    const outer = breaker({ failures: 1 });
    let runs = 0;
    const made = policy(retry({ backoff: zero }), outer, fallback('instead'));
    expect(await made.run(() => throws((runs++, own))())).toBe('instead');
    expect([runs, outer.state]).toEqual([1, 'closed']);
  });

  test('one after another: the inner one first', async () => {
    const made = policy(
      fallback((error) => `outer: ${String(error)}`),
      fallback(throws('inner failed')),
    );
    expect(await made.run(throws(own))).toBe('outer: inner failed');
  });
});

describe('P8 the function of a fallback', () => {
  test('gets a scope: it may defer, has children, and hangs where the call hangs', async () => {
    const traceId = contextKey<string>('trace_id');
    const log: unknown[] = [];
    const made = fallback(async (_error, s: Scope) => {
      s.defer(() => log.push('cleanup'));
      log.push(s.get(traceId), s.timeLeft());
      return s.go((child) => child.sleep(10).then(() => 'made'));
    });
    const settled = await settleInTime(() =>
      scope({ values: [[traceId, 'a1']], timeout: 1000 }, (s) => made.run(throws(own), { signal: s })),
    );
    expect(settled).toEqual({ value: 'made' });
    expect(log).toEqual(['a1', 1000, 'cleanup']);
  });

  test('that throws: its error comes out, with the first one as its cause and in its suppressedErrors', async () => {
    for (const give of [throws, (error: unknown) => async () => throws(error)()]) {
      const second = new Error('second');
      expect(await errorOf(fallback(give(second)).run(throws(own)))).toBe(second);
      expect(second.cause).toBe(own);
      expect(Object.getOwnPropertyDescriptor(second, 'cause')).toMatchObject({
        enumerable: false,
        writable: true,
        configurable: true,
      });
      expect(suppressedErrors(second)).toEqual([own]);
    }
  });

  test('that throws an error with a cause, or one that cannot be given one: it keeps what it has', async () => {
    const cause = new Error('its own');
    const caused = new Error('second', { cause });
    const undef = new Error('second', { cause: undefined });
    const frozen = Object.freeze(new Error('frozen'));
    for (const error of [caused, undef, frozen]) {
      expect(await errorOf(fallback(throws(error)).run(throws(own)))).toBe(error);
      expect(suppressedErrors(error)).toEqual([own]);
    }
    expect([caused.cause, undef.cause, frozen.cause]).toEqual([cause, undefined, undefined]);
  });

  test('that throws a thing that is no error: it comes out', async () => {
    const thing = {};
    for (const error of ['text', undefined, thing])
      expect(await errorOf(fallback(throws(error)).run(throws(own)))).toBe(error);
    expect(thing).toEqual({});
    expect(suppressedErrors(thing)).toEqual([own]);
  });

  test('that throws the error it was given: nothing is added', async () => {
    const error = new Error('passed on');
    expect(await errorOf(fallback((it) => throws(it)()).run(throws(error)))).toBe(error);
    expect('cause' in error).toBe(false);
    expect(suppressedErrors(error)).toEqual([]);
  });
});

describe('P8 a fallback does not run', () => {
  const unreached = fallback(() => expect.fail('ran'));

  test('when the call was cancelled: the reason comes out, or the error of the operation', async () => {
    for (const [end, error] of [
      [(reason: unknown) => throws(reason)(), 'reason'],
      [() => throws(own)(), own],
    ] as const) {
      const controller = new AbortController();
      const call = errorOf(
        policy(unreached, retry()).run((s) => s.sleep('1h').catch(end), { signal: controller.signal }),
      );
      controller.abort('reason');
      expect(await call).toBe(error);
    }
  });

  test('when the call was cancelled in a back-off', async () => {
    const controller = new AbortController();
    const settled = await settleInTime(async (time) => {
      const call = policy(unreached, retry({ backoff: constant(100) })).settle(throws(own), {
        signal: controller.signal,
      });
      setImmediate(() => controller.abort('reason'));
      return [await call, time.now()];
    });
    expect(settled).toMatchObject({ value: [{ error: 'reason', stoppedBy: 'cancelled' }, 0] });
  });

  test('when the call was cancelled before it began', async () => {
    expect(await errorOf(policy(unreached).run(() => 1, { signal: AbortSignal.abort('reason') }))).toBe('reason');
  });

  test('when the result of a cancelled call was judged a failure: that comes out', async () => {
    const controller = new AbortController();
    const made = policy(
      unreached,
      failWhen(() => true),
    );
    const call = made.run((s) => s.sleep('1h').catch(() => 'bad'), { signal: controller.signal });
    controller.abort('reason');
    expect(await call).toBe('bad');
  });

  test('once a deadline outside it has passed', async () => {
    const timed = policy(timeout(10), unreached, retry());
    const op = (s: Scope): Promise<void> => s.sleep('1h');
    expect(await settleInTime(() => timed.run(op))).toEqual({ error: expect.any(TimeoutError) });
    expect(await settleInTime(() => timed.run((s) => op(s).catch(throws(own))))).toEqual({ error: own });
    const below = await settleInTime(() =>
      scope({ timeout: 10 }, (s) => policy(unreached, retry()).run(op, { signal: s })),
    );
    expect(below).toEqual({ error: expect.any(TimeoutError) });
  });

  test('but is cancelled itself, if it runs when that happens', async () => {
    const controller = new AbortController();
    const call = errorOf(fallback((_error, s: Scope) => s.sleep('1h')).run(throws(own), { signal: controller.signal }));
    await nextTurn();
    controller.abort('reason');
    expect(await call).toBe('reason');
  });
});

describe('the event fallback:used', () => {
  test('tells what a fallback stands in for, before the function runs', async () => {
    using events = recordEvents();
    const seen: unknown[] = [];
    const used = (): unknown[] => events.filter(({ event }) => event === 'fallback:used');
    const made = policy(
      fallback(() => void seen.push(used().length)),
      failWhen((it) => it === 'bad'),
    );
    await made.run(throws(own));
    await made.run(() => 'bad');
    await made.run(() => 'good');
    expect(used()).toMatchObject([{ error: own }, { error: 'bad' }]);
    expect(seen).toEqual([1, 2]);
  });

  test('tells also if the function throws', async () => {
    using events = recordEvents();
    await errorOf(fallback(throws(new Error('second'))).run(throws(own), { name: 'stock' }));
    expect(events.filter(({ event }) => event === 'fallback:used')).toMatchObject([{ error: own, name: 'stock' }]);
  });
});

test('is shown by its name', () => {
  expect(String(fallback(0))).toBe('fallback');
});
