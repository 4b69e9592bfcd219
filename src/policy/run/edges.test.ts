/** What a call tells of itself where one thing comes upon another: an abort on an outcome, a hook's error on a refusal; and what it keeps. */
import { describe, expect, test, vi } from 'vitest';
import { clock, HoldfastError, TimeoutError } from '../../foundation/index.ts';
import type { RunningScope } from '../../scope/index.ts';
import { recordEvents, virtualTime } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import {
  attemptsOf,
  breaker,
  bulkhead,
  BulkheadFullError,
  constant,
  explain,
  fallback,
  layer,
  policy,
  retry,
  scope,
  stoppedBy,
  timeout,
  type Scope,
} from '../../index.ts';
import { AttemptRecord } from './history.ts';

const down = new Error('down');
const fail = (): never => {
  throw down;
};

describe('settle, when the caller cancels', () => {
  const cancels = (run: (next: () => Promise<unknown>, cancel: () => void, s: Scope) => unknown, reason: unknown) => {
    const controller = new AbortController();
    const around = layer({ name: 'around', run: (next, s) => run(next, () => controller.abort(reason), s) });
    const made = policy(around, retry({ attempts: 1 }));
    return made.settle(fail, { signal: controller.signal });
  };
  const afterwards = async (next: () => Promise<unknown>, cancel: () => void, s: Scope): Promise<void> => {
    await next().catch(() => {});
    cancel();
    s.throwIfAborted();
  };

  test('after the attempts were used up, but before the end: that has stopped it', async () => {
    const reason = new Error('stop');
    expect(await cancels(afterwards, reason)).toMatchObject({ error: reason, stoppedBy: 'cancelled', cancelled: true });
  });

  test('so by a deadline: that has stopped it', async () => {
    const reason = new TimeoutError('the request', 5);
    expect(await cancels(afterwards, reason)).toMatchObject({ error: reason, stoppedBy: 'deadline' });
  });

  test('and a layer throws an error of its own before anything has run', async () => {
    const own = new Error('own');
    const outcome = await cancels((_, cancel) => {
      cancel();
      throw own;
    }, new Error('stop'));
    expect(outcome).toMatchObject({ error: own, stoppedBy: 'cancelled', attempts: [] });
  });
});

test('settle below a scope that has ended, with nothing above it, is as one below nothing', async () => {
  let ended!: Scope;
  await scope((s) => {
    ended = s;
  });
  expect(await policy().settle(() => 1, { signal: ended })).toMatchObject({ ok: true, value: 1, cancelled: false });
  expect(await policy().settle(fail, { signal: ended })).toMatchObject({ ok: false, error: down, cancelled: false });
});

test('settle below a scope that ends meanwhile is not cancelled by that', async () => {
  const { promise, reject } = Promise.withResolvers<number>();
  let good!: Promise<unknown>;
  let bad!: Promise<unknown>;
  await scope((s) => {
    good = policy().settle(() => promise.catch(() => 1), { signal: s });
    bad = policy().settle(() => promise, { signal: s });
  });
  reject(down);
  expect(await good).toMatchObject({ ok: true, value: 1, cancelled: false });
  expect(await bad).toMatchObject({ ok: false, error: down, cancelled: false, stoppedBy: 'attempts' });
});

test('settle of a refusal outside the retry tells of it as the one attempt', async () => {
  const full = bulkhead({ limit: 1 });
  let end!: () => void;
  const holder = full.run(() => new Promise<void>((resolve) => (end = resolve)));
  const outcome = await policy(full, retry({ attempts: 3 })).settle(() => 1);
  expect(outcome).toMatchObject({ stoppedBy: 'refused', attempts: [{ number: 1, refused: true }] });
  end();
  await holder;
});

describe('a layer of one’s own around a call whose signal is aborted already', () => {
  const own = layer({ name: 'own', run: (next) => next() });
  const abortedWith = async (reason: unknown): Promise<void> => {
    const call = policy(own, retry()).run(() => expect.fail('ran'), { signal: AbortSignal.abort(reason) });
    expect(await errorOf(call)).toBe(reason);
  };

  test('lets it be told that the caller had cancelled, or the deadline had passed', async () => {
    const [reason, deadline] = [new Error('stop'), new TimeoutError('the request', 5)];
    await abortedWith(reason);
    expect(stoppedBy(reason)).toBe('cancelled');
    expect(explain(reason)).toBe('gave up after 0 attempts, because the caller cancelled');
    await abortedWith(deadline);
    expect(stoppedBy(deadline)).toBe('deadline');
  });

  test('leaves a reason alone that tells of another call', async () => {
    const reason = new Error('a sibling failed');
    await errorOf(retry({ attempts: 2, backoff: constant(0) }).run(() => Promise.reject(reason)));
    await abortedWith(reason);
    expect(stoppedBy(reason)).toBe('attempts');
    expect(attemptsOf(reason)).toHaveLength(2);
  });

  test('runs below a scope that has ended, with nothing above it', async () => {
    let ended!: Scope;
    await scope((s) => {
      ended = s;
    });
    expect(await policy(own).run(() => 1, { signal: ended })).toBe(1);
  });
});

test('what goes wrong in the scope of a layer of one’s own is told under its name', async () => {
  using events = recordEvents();
  const own = layer({
    name: 'audit',
    run: (next, s) => {
      s.defer(fail);
      return next();
    },
  });
  expect(await errorOf(policy(own).run(() => 1))).toBe(down);
  expect(events.filter(({ event }) => event === 'scope:cleanup-failed')).toMatchObject([{ name: 'audit' }]);
});

test('of two breakers around a call each hears of its own probe', async () => {
  await virtualTime(async (time) => {
    const [first, second] = [breaker({ failures: 1, cooldown: 10 }), breaker()];
    await errorOf(first.run(fail));
    await time.advance(10);
    expect(await policy(first, second).run(() => 1)).toBe(1);
    expect(first.state).toBe('closed');
  });
});

describe('an error that takes the place of a refusal', () => {
  test('in a fallback tells of the refusal', async () => {
    const [open, own] = [breaker({ name: 'db' }), new Error('own')];
    open.isolate();
    const made = policy(
      fallback(() => {
        throw own;
      }),
      open,
    );
    expect(await errorOf(made.run(() => 1))).toBe(own);
    expect(attemptsOf(own)).toMatchObject([{ number: 1, refused: true, error: { code: 'CIRCUIT_OPEN' } }]);
    expect(stoppedBy(own)).toBe('refused');
    expect(explain(own)).toMatch(/^gave up after 1 attempt, because a layer refused to let it run\n/);
  });

  test('in a fallback, of an error that came out of no policy, tells nothing', async () => {
    const [first, own] = [new Error('first'), new Error('own')];
    const made = policy(
      fallback(() => {
        throw own;
      }),
      layer({ name: 'own', run: () => Promise.reject(first) }),
    );
    expect(await errorOf(made.run(() => 1))).toBe(own);
    expect(attemptsOf(own)).toEqual([]);
  });
});

describe('an error that came out of no policy', () => {
  class Limited extends HoldfastError {
    readonly code = 'RATE_LIMITED';
  }

  test('tells by its code that it is a refusal', () => {
    const error = new Limited('too many');
    expect(stoppedBy(error)).toBe('refused');
    expect(attemptsOf(error)).toMatchObject([{ number: 1, refused: true }]);
  });

  test('tells that a deadline has passed, the platform’s too', async () => {
    const signal = AbortSignal.timeout(0);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(stoppedBy(signal.reason)).toBe('deadline');
    expect(stoppedBy(new DOMException('x', 'AbortError'))).toBeUndefined();
    expect(stoppedBy(Object.assign(new Error('x'), { name: 'TimeoutError' }))).toBeUndefined();
  });
});

test('a call keeps 200 failed attempts at most, however many there were, and never fewer than the newest hundred', () => {
  let newest: AttemptRecord | null = null;
  for (let number = 1; number <= 1000; number++) {
    newest = new AttemptRecord(number, down, 0, newest);
    let kept = 0;
    for (let at: AttemptRecord | null = newest; at !== null; at = at.before) kept++;
    expect(kept).toBeGreaterThanOrEqual(Math.min(number, 100));
    expect(kept).toBeLessThanOrEqual(200);
  }
});

test('a retry without end, of one error, tells of its last attempts', async () => {
  let runs = 0;
  const made = retry({ attempts: Infinity, backoff: constant(0), budget: false, retryIf: () => runs < 300 });
  const error = await errorOf(
    made.run(() => {
      runs++;
      throw down;
    }),
  );
  expect(attemptsOf(error).map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, i) => 201 + i));
});

describe('a call that is cancelled', () => {
  test('by onRetry ends at once, whatever the back-off', async () => {
    await virtualTime(async () => {
      const [controller, reason] = [new AbortController(), new Error('stop')];
      const made = policy(
        timeout('1h'),
        retry({
          attempts: 3,
          backoff: (attempt) => (attempt - 1) * 100,
          onRetry: ({ attempt }) => attempt > 1 && controller.abort(reason),
        }),
      );
      expect(await errorOf(made.run(fail, { signal: controller.signal }))).toBe(reason);
    });
  });

  test('at any turn before the back-off begins ends at once', async () => {
    await virtualTime(async () => {
      for (let turns = 0; turns < 8; turns++) {
        const [controller, reason] = [new AbortController(), new Error('stop')];
        const call = errorOf(retry({ backoff: constant(100) }).run(fail, { signal: controller.signal }));
        for (let i = 0; i < turns; i++) await Promise.resolve();
        controller.abort(reason);
        expect([down, reason]).toContain(await call);
      }
    });
  });

  test('fails with null if its operation does', async () => {
    const controller = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const outcome = policy(retry()).settle(() => promise, { signal: controller.signal });
    controller.abort(new Error('stop'));
    reject(null);
    expect(await outcome).toMatchObject({ ok: false, error: null });
  });

  test('fails with the reason if its body has returned, and its child ends with that', async () => {
    const [controller, reason] = [new AbortController(), new Error('stop')];
    const call = errorOf(retry().run((s) => void s.go((child) => child.sleep('1h')), { signal: controller.signal }));
    controller.abort(reason);
    expect(await call).toBe(reason);
  });

  test('and let go by a timeout’s grace, is told of an attempt whose verdict is that of the reason', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const { promise, resolve } = Promise.withResolvers<void>();
      const outcome = timeout('1h', { grace: 0 }).settle(() => promise, { signal: controller.signal });
      controller.abort(new Error('stop'));
      expect(await outcome).toMatchObject({ attempts: [{ abandoned: true, verdict: 'unknown' }] });
      resolve();
      await time.runAll();
    });
  });
});

describe('two calls whose signals are aborted for one reason', () => {
  test('that is a deadline: it tells of the last one', async () => {
    const [controller, reason] = [new AbortController(), new TimeoutError('the request', 5)];
    const { signal } = controller;
    const hang = (s: Scope): Promise<unknown> => s.sleep('1h');
    const first = errorOf(retry().run(hang, { signal }));
    const again = retry({ backoff: constant(0) });
    const second = errorOf(again.run((s) => (s.attempt === 1 ? fail() : hang(s)), { signal }));
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    expect(await Promise.all([first, second])).toEqual([reason, reason]);
    expect(attemptsOf(reason)).toHaveLength(2);
  });
});

describe('a refusal', () => {
  test('of a later attempt tells of those before', async () => {
    const made = policy(retry({ backoff: constant(0) }), breaker({ failures: 1 }));
    const error = await errorOf(made.run(fail));
    expect(error).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(attemptsOf(error)).toMatchObject([
      { error: down, refused: false },
      { error, refused: true },
    ]);
  });

  test('that the operation itself throws is an attempt that has run', async () => {
    const error = await errorOf(
      retry().run(() => {
        throw new BulkheadFullError('elsewhere', 1, 0, 'full');
      }),
    );
    expect(attemptsOf(error)).toMatchObject([{ refused: false }]);
    expect(stoppedBy(error)).toBe('refused');
  });

  test('leaves nothing in the scope above, though a priority has asked for the time that is left', async () => {
    await virtualTime(async (time) => {
      const slots = bulkhead({ limit: 1, queue: 1, maxWait: 10, priority: (call) => call.timeLeft() });
      const first = slots.run((s) => s.sleep(20));
      await scope({ timeout: '1h' }, async (s) => {
        const { context } = s as RunningScope;
        const before = context.last;
        const call = errorOf(slots.run(() => 1, { signal: s }));
        expect(context.last).not.toBe(before);
        await time.advance(10);
        expect(await call).toMatchObject({ reason: 'maxWait' });
        expect(context.last).toBe(before);
      });
      await time.runAll();
      await first;
    });
  });
});

test('an error that can be disposed of is not: it is no result', async () => {
  const error = Object.assign(new Error('down'), { [Symbol.dispose]: () => expect.fail('disposed of') });
  expect(await errorOf(retry({ backoff: constant(0) }).run(() => Promise.reject(error)))).toBe(error);
});

test('a late result whose cleanup fails is disposed of once', async () => {
  await virtualTime(async (time) => {
    let disposed = 0;
    const result = { [Symbol.dispose]: () => void disposed++ };
    const { promise, resolve } = Promise.withResolvers<typeof result>();
    const call = errorOf(
      timeout(10, { grace: 0 }).run((s) => {
        s.defer(fail);
        return promise;
      }),
    );
    await time.advance(10);
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    resolve(result);
    await time.runAll();
    expect(disposed).toBe(1);
  });
});

test('a deadline that ends a later attempt, begun at once, is the server’s fault if that had time', async () => {
  await virtualTime(async (time) => {
    const gate = breaker({ failures: 2, blameAfter: 100 });
    const made = policy(timeout(300), retry({ backoff: constant(0) }), gate);
    const call = errorOf(made.run((s) => (s.attempt === 1 ? fail() : s.sleep('1h'))));
    await time.runAll();
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    expect(gate.state).toBe('open');
  });
});

test('call:end tells how long the call took, whenever it began', async () => {
  await virtualTime(async (time) => {
    using events = recordEvents();
    await time.advance(1000);
    const call = policy().run((s) => s.sleep(30));
    await time.runAll();
    await call;
    expect(events.find(({ event }) => event === 'call:end')).toMatchObject({ durationMs: 30 });
  });
});

test('the error of a timeout whose attempt waited in a queue inside says that nothing was abandoned', async () => {
  await virtualTime(async (time) => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const first = slots.run((s) => s.sleep(50));
    const call = errorOf(policy(breaker(), timeout(10, { grace: 0 }), slots).run(() => expect.fail('ran')));
    await time.advance(10);
    expect(await call).toMatchObject({ code: 'TIMEOUT', abandoned: false });
    await time.runAll();
    await first;
  });
});

test('a straight call without listeners asks no clock', async () => {
  using now = vi.spyOn(clock, 'now');
  await retry({ budget: false }).run((s) => {
    s.defer(() => {});
  });
  expect(now).not.toHaveBeenCalled();
});
