/** What one stage has to know of another: where layers stand in an order that one state machine cannot do, the rules are the same. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { errorOf } from '../../../test/settle.ts';
import { virtualTime, type VirtualTime } from '../../testing/index.ts';
import {
  attemptsOf,
  breaker,
  budget,
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
  suppressedErrors,
  timeout,
  type Breaker,
  type Scope,
} from '../../index.ts';

watchAbandonedBodies();

const zero = constant(0);
const down = new Error('down');
const bug = new Error('bug');
const throws = (error: unknown) => (): never => {
  throw error;
};

function isolated(): Breaker {
  const gate = breaker();
  gate.isolate();
  return gate;
}

/** An operation that goes on until the test ends it, whatever its signal says. */
function deaf(): { op: () => Promise<unknown>; end: (value?: unknown) => void } {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  return { op: () => promise, end: resolve };
}

/** An operation that ends with the reason, so long after it was told. */
const slowly =
  (ms: number) =>
  (s: Scope): Promise<never> =>
    new Promise((_, reject) => {
      s.signal.addEventListener('abort', () => {
        void scope((later) => later.sleep(ms)).then(() => reject(s.signal.reason as Error));
      });
    });

describe('P3.11 a token comes back for a retry that was refused', () => {
  const shared = () => budget({ initial: 10, ratio: 0, trickle: 0 });

  test('in the third stage', async () => {
    const [tokens, full] = [shared(), bulkhead({ limit: 1 })];
    const { op, end } = deaf();
    const holder = full.run(op);
    const made = policy(
      retry({ attempts: 3, backoff: zero, retryOn: ['BULKHEAD_FULL'], budget: tokens }),
      timeout('1h'),
      breaker(),
      timeout('1h'),
      full,
    );
    const outcome = await made.settle(() => expect.fail('ran'));
    expect(outcome.attempts.map(({ refused }) => refused)).toEqual([true, true, true]);
    expect(tokens.tokens).toBe(10);
    end();
    await holder;
  });

  test('by a layer of one’s own that says so with an error of ours', async () => {
    const tokens = shared();
    const full = new BulkheadFullError('own', 1, 0, 'full');
    const made = policy(
      retry({ attempts: 3, backoff: zero, retryOn: ['BULKHEAD_FULL'], budget: tokens }),
      layer({ name: 'own', run: throws(full) }),
    );
    const outcome = await made.settle(() => expect.fail('ran'));
    expect(outcome.attempts.map(({ refused }) => refused)).toEqual([true, true, true]);
    expect(tokens.tokens).toBe(10);
  });
});

test('what a fallback inside gives for a refusal is the success of a stage without a retry', async () => {
  const made = policy(bulkhead({ limit: 1 }), fallback('instead'), isolated());
  expect(await made.run(() => expect.fail('ran'))).toBe('instead');
});

describe('an operation that succeeded, and whose cleanup failed', () => {
  const runsOf = async (made: ReturnType<typeof policy>): Promise<number> => {
    let runs = 0;
    await errorOf(
      made.run((s) => {
        runs++;
        s.defer(throws(new Error('close failed')));
      }),
    );
    return runs;
  };
  const again = retry({ attempts: 3, backoff: zero, idempotent: false });

  test('is not run again, in a stage inside neither', async () => {
    expect(await runsOf(policy(again, timeout('1h'), bulkhead({ limit: 1 })))).toBe(1);
  });

  test('may be, if a layer of one’s own has put another error in the place of that', async () => {
    const own = layer({ name: 'own', run: (next) => next().catch(throws(down)) });
    expect(await runsOf(policy(again, own, bulkhead({ limit: 1 })))).toBe(3);
  });

  test('is not run again after a child of its own either', async () => {
    let runs = 0;
    await errorOf(
      again.run((s) => {
        runs++;
        void s.go(async () => {});
        s.defer(throws(new Error('close failed')));
      }),
    );
    expect(runs).toBe(1);
  });
});

describe('P2.5 a hook of one stage', () => {
  const judges = () => breaker({ judge: throws(bug) });

  test('that throws when the timeout of a stage outside lets the caller go ends the call', async () => {
    await virtualTime(async (time) => {
      const { op, end } = deaf();
      const call = errorOf(policy(timeout(10, { grace: 0 }), timeout('1h'), judges()).run(op));
      await time.advance(10);
      expect(await call).toBe(bug);
      end();
      await time.runAll();
    });
  });

  test('and of the stage whose timeout that is: its error is not lost for what happened inside', async () => {
    await virtualTime(async (time) => {
      const { op, end } = deaf();
      const call = errorOf(policy(timeout(10, { grace: 0 }), judges(), retry()).run(op));
      await time.advance(10);
      expect(await call).toBe(bug);
      end();
      await time.runAll();
    });
  });

  test('around a retry tells of the attempts of that', async () => {
    const error = new Error('judge');
    const made = policy(breaker({ judge: throws(error) }), retry({ attempts: 2, backoff: zero }));
    expect(await errorOf(made.run(throws(down)))).toBe(error);
    expect(attemptsOf(error).map((attempt) => attempt.error)).toEqual([down, down]);
    expect(stoppedBy(error)).toBe('verdict');
  });

  test('comes out though failWhen has thrown too: the second is kept beside the first', async () => {
    const first = new Error('failWhen');
    const made = policy(judges(), failWhen(throws(first)));
    expect(await errorOf(made.run(() => 1))).toBe(first);
    expect(suppressedErrors(first)).toContain(bug);
  });
});

test('P1.6 a result that was judged reaches a fallback through layers of one’s own', async () => {
  const own = (name: string) => layer({ name, run: (next) => next() });
  const made = policy(
    fallback('instead'),
    own('one'),
    own('two'),
    retry({ attempts: 1 }),
    failWhen(() => true),
  );
  expect(await made.run(() => 'bad')).toBe('instead');
});

describe('P7.2 a permit', () => {
  test('of a bulkhead outside a breaker that refuses is given back', async () => {
    const slots = bulkhead({ limit: 1 });
    await errorOf(policy(slots, isolated()).run(() => expect.fail('ran')));
    expect(slots.inFlight).toBe(0);
  });

  test('stays taken for what a call below the attempt has abandoned, though the attempt has succeeded', async () => {
    await virtualTime(async (time) => {
      const slots = bulkhead({ limit: 1 });
      const { op, end } = deaf();
      const call = slots.run((s) =>
        timeout(10, { grace: 0 })
          .run(op, { signal: s })
          .catch(() => 'let go'),
      );
      await time.advance(10);
      expect(await call).toBe('let go');
      expect(slots.inFlight).toBe(1);
      end();
      await time.runAll();
      expect(slots.inFlight).toBe(0);
    });
  });
});

describe('P5.5 detach', () => {
  test('of a timeout outside holds for what it lets go in a stage inside', async () => {
    await virtualTime(async (time) => {
      const { op, end } = deaf();
      let isClosed = false;
      const made = policy(timeout(10, { grace: 0, detach: true }), breaker(), retry());
      const call = errorOf(
        scope((s) => {
          s.defer(() => {
            isClosed = true;
          });
          return made.run(op, { signal: s });
        }),
      );
      await time.advance(10);
      expect(isClosed).toBe(true);
      await call;
      end();
      await time.runAll();
    });
  });
});

describe('P2.7 the async context', () => {
  test('of an attempt after one whose time passed in the queue of a stage inside is the caller’s', async () => {
    const storage = new AsyncLocalStorage<string>();
    await virtualTime(async (time) => {
      const slots = bulkhead({ limit: 1, queue: 1 });
      const first = slots.run((s) => s.sleep(15));
      const made = policy(retry({ backoff: zero, idempotent: false, budget: false }), timeout(10, { grace: 0 }), slots);
      const call = storage.run('caller', () => made.run(() => storage.getStore()));
      await time.runAll();
      expect(await call).toBe('caller');
      await first;
    });
  });
});

describe('P2.3 a caller who cancels', () => {
  /** What comes out when an attempt's timeout has passed at 10, and the caller cancels at 20. */
  const cancelled = async (made: ReturnType<typeof policy>, time: VirtualTime, op: (s: Scope) => unknown) => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const call = errorOf(made.run(op, { signal: controller.signal }));
    await time.advance(20);
    controller.abort(reason);
    await time.runAll();
    expect(await call).toBe(reason);
    return reason;
  };

  test('in the grace of a timeout outside the retry gets a reason that tells of its attempts', async () => {
    await virtualTime(async (time) => {
      const made = policy(breaker(), timeout(10, { grace: 50 }), retry({ backoff: zero }));
      const reason = await cancelled(made, time, (s) => {
        if (s.attempt === 1) throw down;
        return slowly(20)(s);
      });
      expect(attemptsOf(reason)).toHaveLength(2);
      expect(stoppedBy(reason)).toBe('cancelled');
    });
  });

  test('gets one that tells of the one attempt, where no retry has begun', async () => {
    await virtualTime(async (time) => {
      const own = layer({ name: 'own', run: (_, s) => slowly(20)(s) });
      const reason = await cancelled(policy(breaker(), timeout(10, { grace: 50 }), own, retry()), time, () => 1);
      expect(attemptsOf(reason)).toHaveLength(1);
      expect(stoppedBy(reason)).toBe('cancelled');
    });
  });
});
