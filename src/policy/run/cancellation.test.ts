/**
 * Cancellation by the caller (P2.3, P2.4, P3.1, P3.9), at every moment of a call: before it begins, in an attempt, in its cleanups, in every hook, in a
 * back-off, in a queue, after the end. Whatever the moment: no attempt begins after it, one thing comes out, nothing is left.
 */
import { describe, expect, test } from 'vitest';
import { fail, scripted, virtualTime } from '../../testing/index.ts';
import { CountedController } from '../../../test/listeners.ts';
import { errorOf, settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  attemptsOf,
  breaker,
  budget,
  bulkhead,
  constant,
  failWhen,
  fallback,
  layer,
  onEvent,
  policy,
  retry,
  scope,
  stoppedBy,
  suppressedErrors,
  timeout,
  type EventMap,
  type Policy,
  type RetryOptions,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const reason = new Error('cancelled');
const own = new Error('own');
const unreached = (): never => expect.fail('ran');
const throws = (error: unknown) => (): never => {
  throw error;
};

/** Policies in which a call goes different ways. */
const policies: readonly (readonly [name: string, policy: Policy])[] = [
  ['no layers', policy()],
  ['retry', retry({ attempts: 3, backoff: constant(100) })],
  ['timeouts', policy(timeout('1h'), retry({ backoff: constant(100) }), timeout('30m'))],
  ['gates', policy(retry({ backoff: constant(100) }), breaker({ failures: 1e6 }), bulkhead({ limit: 100 }))],
  ['two stages', policy(bulkhead({ limit: 100 }), retry({ backoff: constant(100) }))],
  ['a layer of one’s own', policy(layer({ name: 'own', run: (next) => next() }), retry({ backoff: constant(100) }))],
];

describe.each(policies)('in a policy of %s', (_name, made) => {
  test('P2.4 a signal that is aborted already starts nothing: the call rejects with its reason', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      controller.abort(reason);
      expect(await errorOf(made.run(unreached, { signal: controller.signal }))).toBe(reason);
      expect([time.pending, controller.added]).toEqual([0, 0]);
    });
  });

  test('P2.4 likewise a scope that is cancelled already', async () => {
    const error = await errorOf(
      scope((s) => {
        s.cancel(reason);
        return made.run(unreached, { signal: s });
      }),
    );
    expect(error).toBe(reason);
  });

  test('P2.3 an attempt in flight that still succeeds is the success of the call', async () => {
    const controller = new CountedController();
    const call = made.run((s) => s.sleep('1h').catch(() => 'nevertheless'), { signal: controller.signal });
    controller.abort(reason);
    expect(await call).toBe('nevertheless');
    expect([controller.added, controller.removed]).toEqual([1, 1]);
  });

  test('P2.3 one that fails with an error of its own fails the call with that, and is not made again', async () => {
    const controller = new AbortController();
    let attempts = 0;
    const call = made.run(
      (s) => {
        attempts++;
        return s.sleep('1h').catch(throws(own));
      },
      { signal: controller.signal },
    );
    controller.abort(reason);
    expect(await errorOf(call)).toBe(own);
    expect([attempts, stoppedBy(own), suppressedErrors(own)]).toEqual([1, 'cancelled', []]);
  });

  test('P2.3 one that ends with the reason, or an error that wraps it, ends the call with the reason', async () => {
    for (const error of [reason, new Error('envelope', { cause: new Error('another', { cause: reason }) })]) {
      const controller = new AbortController();
      const call = made.run((s) => s.sleep('1h').catch(throws(error)), { signal: controller.signal });
      controller.abort(reason);
      expect(await errorOf(call)).toBe(reason);
      expect(stoppedBy(reason)).toBe('cancelled');
    }
  });

  test('P2.3 the reason is whatever the caller gave', async () => {
    for (const given of [null, 0, '', 'text', Symbol('s'), Object.freeze(new Error('frozen')), {}]) {
      const controller = new AbortController();
      const call = settle(() => made.run((s) => s.sleep('1h'), { signal: controller.signal }));
      controller.abort(given);
      expect(Object.is(((await call) as { error: unknown }).error, given)).toBe(true);
    }
    const controller = new AbortController();
    const call = errorOf(made.run((s) => s.sleep('1h'), { signal: controller.signal }));
    controller.abort();
    expect(await call).toBe(controller.signal.reason);
  });

  test('P2.3 the signal of the attempt is aborted with it, at once', async () => {
    const controller = new AbortController();
    let attempt: Scope | undefined;
    const call = errorOf(
      made.run(
        (s) => {
          attempt = s;
          return s.sleep('1h');
        },
        { signal: controller.signal },
      ),
    );
    const { signal } = attempt as Scope;
    controller.abort(reason);
    expect([signal.aborted, signal.reason]).toEqual([true, reason]);
    await call;
  });

  test('a body that is deaf is waited for: only a timeout lets its caller go', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      let ended = false;
      const call = made.run(() => scope((deaf) => deaf.sleep(10)), { signal: controller.signal });
      void call.then(() => (ended = true));
      controller.abort(reason);
      await time.advance(9);
      expect(ended).toBe(false);
      await time.advance(1);
      expect(ended).toBe(true);
    });
  });

  test('an abort by the operation itself, before it returns, is one in an attempt', async () => {
    for (const [op, expected] of [
      [() => 'result', { value: 'result' }],
      [throws(own), { error: own }],
      [throws(reason), { error: reason }],
      [(s: Scope) => s.throwIfAborted(), { error: reason }],
      [(s: Scope) => s.sleep(1), { error: reason }],
      [(s: Scope) => [s.signal.aborted, s.signal.reason], { value: [true, reason] }],
    ] as const) {
      const controller = new AbortController();
      const settled = await settle(() =>
        made.run(
          (s): unknown => {
            controller.abort(reason);
            return op(s);
          },
          { signal: controller.signal },
        ),
      );
      expect(settled).toEqual(expected);
    }
  });

  test('an abort in an asynchronous cleanup leaves a success a success', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const log: unknown[] = [];
      const call = made.run(
        (s) => {
          s.defer((exit) => log.push(exit.cancelled, s.signal.aborted));
          s.defer(() => s.sleep(20));
          return 'result';
        },
        { signal: controller.signal },
      );
      await time.advance(10);
      controller.abort(reason);
      await time.runAll();
      expect([await call, log]).toEqual(['result', [false, false]]);
    });
  });

  test('and a failure that failure: it is not made again', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      let attempts = 0;
      const call = errorOf(
        made.run(
          (s) => {
            attempts++;
            s.defer(() => s.sleep(20));
            throw own;
          },
          { signal: controller.signal },
        ),
      );
      await time.advance(10);
      controller.abort(reason);
      await time.runAll();
      expect([await call, attempts, stoppedBy(own)]).toEqual([own, 1, 'cancelled']);
    });
  });

  test('an abort after the end changes nothing', async () => {
    const controller = new CountedController();
    const scopes: Scope[] = [];
    expect(await made.run((s) => (scopes.push(s), 'result'), { signal: controller.signal })).toBe('result');
    expect(controller.listeners).toBe(0);
    controller.abort(reason);
    expect(scopes[0]?.signal.aborted).toBe(false);
  });
});

describe('P3.9 an abort during a back-off', () => {
  for (const again of [1, 2]) {
    test(`ends the wait at once with the reason, and starts no attempt (back-off ${again})`, async () => {
      await virtualTime(async (time) => {
        const controller = new CountedController();
        const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
        const op = scripted([fail(own), fail(own)]);
        const call = errorOf(
          retry({ attempts: 4, backoff: constant(100), budget: shared }).run(op, { signal: controller.signal }),
        );
        await time.advance(100 * again - 50);
        expect([time.pending, shared.tokens]).toEqual([1, 5 - again]);
        controller.abort(reason);
        expect([time.pending, shared.tokens]).toEqual([0, 6 - again]);
        expect(await call).toBe(reason);
        expect([op.calls.length, controller.listeners]).toEqual([again, 0]);
        expect(stoppedBy(reason)).toBe('cancelled');
        expect(attemptsOf(reason).map(({ error }) => error)).toEqual(Array.from({ length: again }, () => own));
      });
    });
  }

  test('by the scope of the caller, or by the failure of that', async () => {
    await virtualTime(async (time) => {
      const seen: unknown[] = [];
      const failing = errorOf(
        scope(async (s) => {
          const call = errorOf(retry({ backoff: constant(100) }).run(throws(own), { signal: s }));
          void s.go((child) => child.sleep(50).then(throws(reason)));
          seen.push(await call, time.now());
        }),
      );
      await time.runAll();
      expect([await failing, seen]).toEqual([reason, [reason, 50]]);
    });
  });

  test('in one of many calls leaves the others as they are', async () => {
    await virtualTime(async (time) => {
      const controllers = [new AbortController(), new AbortController(), new AbortController()];
      const shared = retry({ attempts: 2, backoff: constant(100) });
      const calls = controllers.map(({ signal }) => settle(() => shared.run(scripted([fail(own), 'ok']), { signal })));
      await time.advance(50);
      controllers[1]?.abort(reason);
      await time.runAll();
      expect(await Promise.all(calls)).toEqual([{ value: 'ok' }, { error: reason }, { value: 'ok' }]);
    });
  });

  test('a wait without end is ended too', async () => {
    await virtualTime(async () => {
      const controller = new AbortController();
      const call = errorOf(
        retry({ backoff: constant('30d'), maxRetryAfter: Infinity }).run(throws(own), { signal: controller.signal }),
      );
      await Promise.resolve();
      setImmediate(() => controller.abort(reason));
      expect(await call).toBe(reason);
    });
  });
});

describe('P3.9 an abort in the turn of a delay of 0', () => {
  test('by another microtask ends a retry that makes attempts without end', async () => {
    const controller = new AbortController();
    let attempts = 0;
    let begunAfter = 0;
    const call = errorOf(
      retry({ attempts: Infinity, backoff: zero, budget: false }).run(
        () => {
          attempts++;
          if (controller.signal.aborted) begunAfter++;
          throw own;
        },
        { signal: controller.signal },
      ),
    );
    let turns = 0;
    const turn = (): void => {
      if (++turns === 500) controller.abort(reason);
      else queueMicrotask(turn);
    };
    turn();
    expect([reason, own]).toContain(await call);
    expect(attempts).toBeGreaterThan(50);
    expect(begunAfter).toBe(0);
  });

  test('of a refusal that is retried ends it, and all tokens are given back', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      const gate = bulkhead({ limit: 1 });
      const first = gate.run((s) => s.sleep(10));
      const shared = budget({ initial: 100, ratio: 0, trickle: 0 });
      const made = policy(
        retry({ attempts: Infinity, backoff: zero, budget: shared, retryOn: ['BULKHEAD_FULL'] }),
        gate,
      );
      const call = made.settle(unreached, { signal: controller.signal });
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      controller.abort(reason);
      const outcome = await call;
      expect(outcome).toMatchObject({ ok: false, stoppedBy: 'cancelled' });
      expect([reason, outcome.attempts.at(-1)?.error]).toContain((outcome as { error: unknown }).error);
      expect([shared.tokens, controller.listeners]).toEqual([100, 0]);
      await time.runAll();
      await first;
    });
  });
});

test('an abort after any number of microtasks: no attempt begins after it, and its reason or the error of an attempt comes out', async () => {
  for (const layers of [
    (options: RetryOptions) => retry(options),
    (options: RetryOptions) => policy(retry(options), breaker({ failures: 1e6 }), bulkhead({ limit: 1 })),
    (options: RetryOptions) => policy(timeout('1h'), retry(options), timeout('1h')),
    (options: RetryOptions) => policy(breaker({ failures: 1e6 }), retry(options)),
  ]) {
    for (let turns = 0; turns < 60; turns++) {
      const controller = new CountedController();
      const shared = budget({ initial: 50, ratio: 0, trickle: 0 });
      let begun = 0;
      const call = layers({ attempts: 5, backoff: zero, budget: shared }).settle(
        async (s) => {
          expect(controller.signal.aborted).toBe(false);
          begun++;
          s.defer(async () => {
            await Promise.resolve();
          });
          if (s.attempt % 2 === 0) await Promise.resolve();
          throw own;
        },
        { signal: controller.signal },
      );
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      controller.abort(reason);
      const outcome = await call;
      expect(outcome.ok).toBe(false);
      expect([own, reason]).toContain((outcome as { error: unknown }).error);
      if (outcome.stoppedBy === 'attempts') expect(begun).toBe(5);
      else expect(outcome.stoppedBy).toBe('cancelled');
      expect(outcome.attempts).toHaveLength(begun);
      expect(shared.tokens).toBe(50 - Math.max(0, begun - 1));
      expect(controller.listeners).toBe(0);
    }
  }
});

test('an abort at any millisecond: the call ends at once in a back-off or queue, else with its attempt', async () => {
  // An attempt takes 10 ms and its cleanup 5 ms; then comes a back-off of 20 ms. It is in a queue for the first 8 ms.
  for (let at = 0; at < 120; at++) {
    await virtualTime(async (time) => {
      const gate = bulkhead({ limit: 1, queue: 1 });
      const controller = new CountedController();
      const first = gate.run((s) => s.sleep(8));
      let ended = NaN;
      const call = policy(retry({ attempts: 3, backoff: constant(20) }), gate).settle(
        async (s) => {
          s.defer(() => s.sleep(5));
          await scope((deaf) => deaf.sleep(10));
          throw own;
        },
        { signal: controller.signal },
      );
      void call.then(() => (ended = time.now()));
      await time.advance(at);
      const endedBefore = !Number.isNaN(ended);
      controller.abort(reason);
      await time.runAll();
      await first;
      const outcome = (await call) as { error: unknown; stoppedBy: unknown };
      const period = (at - 8) % 35; // since the attempt, or the one before, began
      if (endedBefore) expect([outcome.error, outcome.stoppedBy, ended]).toEqual([own, 'attempts', 93]);
      else if (at < 8) expect([outcome.error, outcome.stoppedBy, ended]).toEqual([reason, 'cancelled', at]);
      else if (period < 15)
        expect([outcome.error, outcome.stoppedBy, ended]).toEqual([own, 'cancelled', at - period + 15]);
      else expect([outcome.error, outcome.stoppedBy, ended]).toEqual([reason, 'cancelled', at]);
      expect([gate.inFlight, gate.waiting, controller.listeners, time.pending]).toEqual([0, 0, 0, 0]);
    });
  }
});

describe('an abort in a queue', () => {
  test('ends the wait at once with the reason, and gives up the place', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      const gate = bulkhead({ limit: 1, queue: 1 });
      const first = gate.run((s) => s.sleep(10));
      const call = errorOf(policy(timeout('1h'), retry(), gate).run(unreached, { signal: controller.signal }));
      expect(gate.waiting).toBe(1);
      controller.abort(reason);
      expect(gate.waiting).toBe(0);
      expect(await call).toBe(reason);
      expect(stoppedBy(reason)).toBe('cancelled');
      await time.runAll();
      await first;
    });
  });

  test('outside the retry is a cancellation too', async () => {
    await virtualTime(async (time) => {
      const [controller, fresh] = [new AbortController(), new Error('fresh')];
      const gate = bulkhead({ limit: 1, queue: 1 });
      const first = gate.run((s) => s.sleep(10));
      const call = errorOf(policy(gate, retry()).run(unreached, { signal: controller.signal }));
      controller.abort(fresh);
      expect(await call).toBe(fresh);
      expect(stoppedBy(fresh)).toBe('cancelled');
      await time.runAll();
      await first;
    });
  });

  test('of a second attempt gives the token back', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const gate = bulkhead({ limit: 1, queue: 1 });
      const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
      const call = errorOf(
        policy(retry({ backoff: constant(10), budget: shared }), gate).run(throws(own), { signal: controller.signal }),
      );
      await time.advance(5);
      const other = gate.run((s) => s.sleep(100));
      await time.advance(10);
      expect([gate.waiting, shared.tokens]).toEqual([1, 4]);
      controller.abort(reason);
      expect([gate.waiting, shared.tokens]).toEqual([0, 5]);
      expect(await call).toBe(reason);
      await time.runAll();
      await other;
    });
  });

  test('at the moment when it was let in passes the permit on', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const gate = bulkhead({ limit: 1, queue: 2 });
      const release = Promise.withResolvers<void>();
      const first = gate.run(() => release.promise);
      const second = errorOf(gate.run(unreached, { signal: controller.signal }));
      const third = gate.run(() => 'third');
      release.resolve();
      while (gate.waiting === 2) await Promise.resolve();
      controller.abort(reason);
      expect(await second).toBe(reason);
      expect(await third).toBe('third');
      await first;
      await time.runAll();
      expect(gate.inFlight).toBe(0);
    });
  });
});

describe('an abort from inside', () => {
  /** Runs an operation that always fails in a policy that aborts its own call at one place. */
  async function aborts(
    make: (abort: () => void) => Policy,
    op: (s: Scope) => unknown = throws(own),
  ): Promise<{ outcome: unknown; runs: number; error: unknown }> {
    const controller = new CountedController();
    let runs = 0;
    const made = make(() => controller.abort(reason));
    const settled = await virtualTime(async (time) => {
      const call = made.settle(
        (s) => {
          runs++;
          return op(s);
        },
        { signal: controller.signal },
      );
      await time.runAll();
      return call;
    });
    expect(controller.listeners).toBe(0);
    const outcome = settled.ok ? settled.value : settled.stoppedBy;
    return { outcome, runs, error: settled.ok ? undefined : settled.error };
  }

  test('retryIf that would retry: the wait that begins is over, with the reason', async () => {
    const made = (answer: boolean | undefined) => (abort: () => void) =>
      retry({ backoff: constant(10), retryIf: () => (abort(), answer) });
    for (const answer of [true, undefined])
      expect(await aborts(made(answer))).toEqual({ outcome: 'cancelled', runs: 1, error: reason });
    expect(await aborts(made(false))).toEqual({ outcome: 'verdict', runs: 1, error: own });
  });

  test('a back-off: likewise', async () => {
    for (const delayMs of [0, 10]) {
      const backoff = (abort: () => void) => () => (abort(), delayMs);
      const made = (abort: () => void): Policy => retry({ backoff: backoff(abort) });
      expect(await aborts(made)).toEqual({ outcome: 'cancelled', runs: 1, error: reason });
    }
  });

  test('onRetry: likewise, and the token is given back', async () => {
    const shared = budget({ initial: 7, ratio: 0, trickle: 0 });
    for (const backoff of [zero, constant(10)]) {
      const made = (onRetry: () => void): Policy => retry({ backoff, onRetry, budget: shared });
      expect(await aborts(made)).toEqual({ outcome: 'cancelled', runs: 1, error: reason });
      expect(shared.tokens).toBe(7);
    }
  });

  test('the judge of a breaker: the attempt’s own error, or its success', async () => {
    const made = (abort: () => void): Policy => policy(retry(), breaker({ judge: () => (abort(), undefined) }));
    expect(await aborts(made)).toEqual({ outcome: 'cancelled', runs: 1, error: own });
    expect(await aborts(made, () => 'result')).toEqual({ outcome: 'result', runs: 1, error: undefined });
  });

  test('failWhen: the result that was judged, whatever was said', async () => {
    for (const answer of [true, false]) {
      const made = (abort: () => void): Policy =>
        policy(
          retry(),
          failWhen(() => (abort(), answer)),
        );
      expect(await aborts(made, () => 'result')).toEqual({ outcome: 'result', runs: 1, error: undefined });
      const timed = (abort: () => void): Policy =>
        policy(
          timeout('1h', { grace: 0 }),
          retry(),
          timeout('1h', { grace: 0 }),
          failWhen(() => (abort(), answer)),
        );
      expect(await aborts(timed, () => 'result')).toEqual({ outcome: 'result', runs: 1, error: undefined });
    }
  });

  test('the priority of a bulkhead: its queue is left at once, and nothing runs', async () => {
    for (const outer of [policy(), timeout('1h'), timeout('1h', { grace: 0 })]) {
      const gate = (abort: () => void) => bulkhead({ limit: 1, queue: 1, priority: () => (abort(), 0) });
      const made = (abort: () => void): Policy => {
        const full = gate(abort);
        void full.run((s) => s.sleep(100));
        return policy(outer, full);
      };
      expect(await aborts(made)).toEqual({ outcome: 'cancelled', runs: 0, error: reason });
    }
  });

  test('a cleanup: the outcome of the attempt, which is not made again', async () => {
    const controller = new AbortController();
    let runs = 0;
    const outcome = await retry({ backoff: zero }).settle(
      (s) => {
        runs++;
        s.defer(() => controller.abort(reason));
        throw own;
      },
      { signal: controller.signal },
    );
    expect([runs, outcome]).toMatchObject([1, { error: own, stoppedBy: 'cancelled' }]);
  });

  test('a fallback: what it gives still comes out', async () => {
    const made = (abort: () => void): Policy =>
      policy(
        fallback(() => (abort(), 'instead')),
        retry({ attempts: 1 }),
      ) as Policy;
    expect(await aborts(made)).toMatchObject({ outcome: 'instead', runs: 1 });
  });

  const events: readonly (readonly [event: keyof EventMap, outcome: string, runs: number, error: unknown])[] = [
    ['call:start', 'cancelled', 0, reason],
    ['attempt:start', 'cancelled', 0, reason],
    ['attempt:end', 'cancelled', 1, own],
    ['retry:scheduled', 'cancelled', 1, reason],
    ['retry:gave-up', 'attempts', 3, own],
    ['call:end', 'attempts', 3, own],
  ];
  test.for(events)('a listener of %s: stopped by %s after %d attempts', async ([event, outcome, runs, error]) => {
    for (const layers of [policy(), timeout('1h'), breaker({ failures: 1e6 })]) {
      let listener: Disposable | undefined;
      const made = (abort: () => void): Policy => {
        listener = onEvent(event, abort);
        return policy(timeout('1h'), retry({ attempts: 3, backoff: constant(10) }), layers);
      };
      try {
        expect(await aborts(made)).toEqual({ outcome, runs, error });
      } finally {
        listener?.[Symbol.dispose]();
      }
    }
  });

  test('a listener of timeout:fired: the reason, not the timeout', async () => {
    for (const layers of [timeout(10), policy(retry(), timeout(10)), policy(timeout(10), retry(), timeout('1h'))]) {
      let listener: Disposable | undefined;
      const made = (abort: () => void): Policy => {
        listener = onEvent('timeout:fired', abort);
        return layers;
      };
      expect(await aborts(made, (s) => s.sleep('1h'))).toEqual({ outcome: 'cancelled', runs: 1, error: reason });
      listener?.[Symbol.dispose]();
    }
  });

  test('a listener of budget:empty: the error in hand, as without it', async () => {
    let listener: Disposable | undefined;
    const made = (abort: () => void): Policy => {
      listener = onEvent('budget:empty', abort);
      return retry({ budget: { initial: 0, trickle: 0 } });
    };
    expect(await aborts(made)).toEqual({ outcome: 'budget', runs: 1, error: own });
    listener?.[Symbol.dispose]();
  });
});
