/** What comes out of several stages is what would come out of one: who was refused, what was judged, since when the call runs, what is left behind. */
import { describe, expect, test } from 'vitest';
import { errorOf } from '../../../test/settle.ts';
import { recordEvents, virtualTime } from '../../testing/index.ts';
import {
  abandoned,
  attemptsOf,
  breaker,
  bulkhead,
  BulkheadFullError,
  constant,
  failWhen,
  fallback,
  layer,
  policy,
  retry,
  scope,
  stoppedBy,
  timeout,
  TimeoutError,
  type Policy,
  type Scope,
} from '../../index.ts';

const zero = constant(0);
const down = new Error('down');
const throws = (error: unknown) => (): never => {
  throw error;
};

/** An operation that goes on until the test ends it, whatever its signal says. */
function deaf(): { op: () => Promise<unknown>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  return { op: () => promise, end: () => resolve(undefined) };
}

describe('P2.2 an attempt is refused, though it failed with no refusal,', () => {
  test('when its caller cancels while a retry inside waits to be let in again', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const reason = new Error('stop');
      const slots = bulkhead({ limit: 1 });
      const { op, end } = deaf();
      const holder = slots.run(op);
      const inner = retry({ backoff: constant(50), retryOn: ['BULKHEAD_FULL'] });
      const made = policy(retry({ attempts: 1 }), inner, slots);
      const call = errorOf(made.run(() => expect.fail('ran'), { signal: controller.signal }));
      await time.advance(20);
      controller.abort(reason);
      expect(await call).toBe(reason);
      expect(attemptsOf(reason).map(({ refused }) => refused)).toEqual([true]);
      end();
      await holder;
    });
  });

  test('when the timeout of a stage inside passes in a queue', async () => {
    await virtualTime(async (time) => {
      const slots = bulkhead({ limit: 1, queue: 1 });
      const { op, end } = deaf();
      const holder = slots.run(op);
      const made = policy(retry({ attempts: 1 }), timeout('1h'), timeout(10), slots);
      const call = errorOf(made.run(() => expect.fail('ran')));
      await time.advance(20);
      const error = await call;
      expect(error).toBeInstanceOf(TimeoutError);
      expect(attemptsOf(error).map(({ refused }) => refused)).toEqual([true]);
      end();
      await holder;
    });
  });
});

describe('P2.2 the reason why a call stopped', () => {
  test('is that of the retry, and not of a stage around it', async () => {
    const error = new Error('permanent');
    await errorOf(policy(breaker(), retry({ retryIf: () => false })).run(throws(error)));
    expect(stoppedBy(error)).toBe('verdict');
  });

  test('comes with all attempts when a hook cancels the call and throws the reason', async () => {
    const slots = bulkhead({ limit: 1 });
    const { op, end } = deaf();
    const holder = slots.run(op);
    const stop = new Error('stop');
    const controller = new AbortController();
    const again = retry({
      attempts: 3,
      backoff: zero,
      retryOn: ['BULKHEAD_FULL'],
      onRetry: ({ attempt }) => {
        if (attempt < 2) return;
        controller.abort(stop);
        throw stop;
      },
    });
    const call = policy(again, slots).run(() => expect.fail('ran'), { signal: controller.signal });
    expect(await errorOf(call)).toBe(stop);
    expect(attemptsOf(stop).map(({ error }) => error instanceof BulkheadFullError)).toEqual([true, true]);
    end();
    await holder;
  });

  test('is known when the grace of 0 lets a caller go before the stage inside has heard of the abort', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const { op, end } = deaf();
      const reason = new Error('stop');
      const made = policy(timeout('1h', { grace: 0 }), breaker(), retry());
      const outcome = made.settle(op, { signal: controller.signal });
      controller.abort(reason);
      await expect(outcome).resolves.toMatchObject({
        ok: false,
        error: reason,
        stoppedBy: 'cancelled',
        attempts: [{ error: reason, abandoned: true }],
      });
      end();
      await time.runAll();
    });
  });
});

describe('P5.4 what is left behind', () => {
  test('is nothing when a hook of a stage inside cancels the call between two attempts', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const inner = retry({ backoff: zero, onRetry: () => controller.abort(reason) });
    const made = policy(timeout('1h', { grace: 0 }), retry({ attempts: 2, backoff: zero }), breaker(), inner);
    const before = abandoned();
    const outcome = await made.settle(throws(down), { signal: controller.signal });
    expect(outcome).toMatchObject({ error: reason, stoppedBy: 'cancelled', attempts: [{ abandoned: false }] });
    expect(abandoned()).toBe(before);
  });

  test('is one body, when a layer of one’s own around it is let go later', async () => {
    await virtualTime(async (time) => {
      const { op, end } = deaf();
      const before = abandoned();
      const patient = layer({
        name: 'patient',
        run: async (next) => {
          await next().catch(() => 'let go');
          await op();
        },
      });
      const call = errorOf(policy(timeout(50, { grace: 0 }), patient, timeout(10, { grace: 0 })).run(op));
      await time.advance(60);
      expect(await call).toMatchObject({ timeoutMs: 50 });
      expect(abandoned()).toBe(before + 1);
      end();
      await time.runAll();
      expect(abandoned()).toBe(before);
    });
  });

  test('is a layer of one’s own that never called what is inside', async () => {
    await virtualTime(async (time) => {
      const { op, end } = deaf();
      const before = abandoned();
      const made = policy(timeout(10, { grace: 0 }), layer({ name: 'busy', run: op }));
      const call = errorOf(made.run(() => expect.fail('ran')));
      await time.advance(20);
      await call;
      expect(abandoned()).toBe(before + 1);
      end();
      await time.runAll();
      expect(abandoned()).toBe(before);
    });
  });
});

describe('P5.1 the second of two timeouts outside a retry', () => {
  test('bounds all its attempts, not each', async () => {
    await virtualTime(async (time) => {
      let runs = 0;
      const made = policy(timeout('1h'), timeout(50), retry({ attempts: 9, backoff: zero, budget: false }));
      const call = errorOf(
        made.run(async (s) => {
          runs++;
          await s.sleep(30);
          throw down;
        }),
      );
      await time.advance(200);
      expect(await call).toMatchObject({ timeoutMs: 50 });
      expect(runs).toBe(2);
    });
  });
});

describe('P3.6 maxElapsed counts from the start of the call,', () => {
  const own = layer({ name: 'own', run: (next) => next() });
  const again = retry({ backoff: constant(50), maxElapsed: 100 });

  const outside: readonly (readonly [where: string, between: Policy])[] = [
    ['in the queue of a stage outside', policy()],
    ['and that around a layer of one’s own', own],
  ];
  test.for(outside)('%s', async ([, between]) => {
    await virtualTime(async (time) => {
      const slots = bulkhead({ limit: 1, queue: 1 });
      const holder = slots.run((s) => s.sleep(60));
      const outcome = policy(slots, between, again).settle(throws(down));
      await time.runAll();
      await holder;
      expect(await outcome).toMatchObject({ stoppedBy: 'maxElapsed', attempts: [{ number: 1 }] });
    });
  });
});

describe('P1.6 failWhen', () => {
  test('is asked once, however many stages there are', async () => {
    let asked = 0;
    const judge = failWhen(() => {
      asked++;
      return false;
    });
    expect(await policy(breaker(), retry(), bulkhead({ limit: 1 }), retry(), judge).run(() => 'good')).toBe('good');
    expect(asked).toBe(1);
  });

  test('has no say on an error that a layer of one’s own throws after a judged result of undefined', async () => {
    const own = layer({
      name: 'own',
      run: async (next) => {
        await next();
        throw down;
      },
    });
    const made = policy(
      retry({ attempts: 1 }),
      own,
      failWhen((value) => value === undefined),
    );
    expect(await errorOf(made.run(() => undefined))).toBe(down);
  });
});

describe('call:end tells of a success', () => {
  const endOf = async (work: () => Promise<unknown>): Promise<unknown> => {
    using events = recordEvents();
    await work();
    return events.find(({ event }) => event === 'call:end');
  };

  test('when a fallback gives the very error that it stands in for', async () => {
    const made = policy(
      fallback((error: unknown) => error),
      retry({ attempts: 1 }),
    );
    expect(await endOf(() => made.run(throws(down)))).toMatchObject({ ok: true, error: undefined });
  });

  test('when an object that was judged a failure comes again, and is none any more', async () => {
    const job = { done: false };
    const made = policy(
      retry({ backoff: zero }),
      failWhen((value) => !(value as typeof job).done),
    );
    const end = await endOf(() =>
      made.run((s) => {
        job.done = s.attempt === 2;
        return job;
      }),
    );
    expect(end).toMatchObject({ ok: true, attempts: 2 });
  });

  test('when a layer of one’s own catches what a hook threw', async () => {
    const own = layer({ name: 'own', run: (next) => next().catch(() => 'instead') });
    const made = policy(own, breaker({ judge: throws(new Error('hook')) }));
    expect(await endOf(() => made.run(() => 'well'))).toMatchObject({ ok: true });
  });
});

test('a layer of one’s own runs in a scope that has ended as in one that goes on: nothing has cancelled it', async () => {
  let ended: Scope | undefined;
  await scope((s) => {
    ended = s;
    expect(s.signal.aborted).toBe(false); // now it has a context
  });
  const made = policy(layer({ name: 'own', run: (next) => next() }));
  expect(await made.run((s) => s.signal.aborted, { signal: ended })).toBe(false);
});

test('P3.4 a cleanup that fails after a child was waited for leaves open whether it happened', async () => {
  await virtualTime(async (time) => {
    let runs = 0;
    const call = errorOf(
      retry({ attempts: 3, backoff: zero, idempotent: false }).run((s) => {
        runs++;
        void s.go(() => s.sleep(10));
        s.defer(throws(new Error('close failed')));
      }),
    );
    await time.runAll();
    expect(attemptsOf(await call)).toMatchObject([{ verdict: 'ambiguous' }]);
    expect(runs).toBe(1);
  });
});

test('P1.6 an error is not disposed of, disposable or not: it is no result', async () => {
  let disposed = 0;
  const error = Object.assign(new Error('down'), { [Symbol.dispose]: () => disposed++ });
  await errorOf(retry({ attempts: 3, backoff: zero }).run(throws(error)));
  expect(disposed).toBe(0);
});

test('P1.1 the message about a breaker that stands twice says what is allowed', () => {
  const gate = breaker();
  expect(() => policy(gate, retry(), gate)).toThrow(/each breaker, bulkhead and rateLimit once/);
});

test('P2.3 a result that is the very error of a timeout gives way to the caller’s reason, as if it had been thrown', async () => {
  await virtualTime(async (time) => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const made = policy(
      retry(),
      timeout(10, { grace: 100 }),
      failWhen((value) => value instanceof TimeoutError),
    );
    const call = errorOf(
      made.run(
        (s) =>
          new Promise((resolve) => {
            s.signal.addEventListener('abort', () => {
              void scope((later) => later.sleep(20)).then(() => resolve(s.signal.reason));
            });
          }),
        { signal: controller.signal },
      ),
    );
    await time.advance(15);
    controller.abort(reason);
    await time.runAll();
    expect(await call).toBe(reason);
  });
});
