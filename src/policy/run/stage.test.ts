/** Layers in any order and number (P1.1): what an order means, and that nothing depends on how many stages the layers are compiled into. */
import { describe, expect, test } from 'vitest';
import { after, fail, scripted, virtualTime, type Step } from '../../testing/index.ts';
import { errorInTime, errorOf, settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  abandoned,
  attemptsOf,
  breaker,
  budget,
  bulkhead,
  constant,
  contextKey,
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

watchUnhandledRejections();

const own = new Error('own');
const throws = (error: unknown) => (): never => {
  throw error;
};
const nothing = layer({ name: 'nothing', run: (next) => next() });

/** Every order of `items`. */
function orders<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, place) => orders(items.toSpliced(place, 1)).map((others) => [item, ...others]));
}

describe('P1.1 what an order means', () => {
  test('a breaker outside a retry counts calls, one inside counts attempts', async () => {
    const [outside, inside] = [breaker({ failures: 2 }), breaker({ failures: 2 })];
    const thrice = retry({ attempts: 3, backoff: constant(0) });
    await errorOf(policy(outside, thrice).run(throws(own)));
    expect(outside.state).toBe('closed');
    await errorOf(policy(outside, thrice).run(throws(own)));
    expect(outside.state).toBe('open');
    await errorOf(policy(thrice, inside).run(throws(own)));
    expect(inside.state).toBe('open');
  });

  test('a bulkhead outside a retry keeps its permit during the back-off, one inside gives it back', async () => {
    await virtualTime(async (time) => {
      const [outside, inside] = [bulkhead({ limit: 1 }), bulkhead({ limit: 1 })];
      const twice = retry({ attempts: 2, backoff: constant(10) });
      const calls = Promise.allSettled(
        [policy(outside, twice), policy(twice, inside)].map((it) => it.run(throws(own))),
      );
      await time.advance(5);
      expect([outside.inFlight, inside.inFlight]).toEqual([1, 0]);
      await time.runAll();
      await calls;
      expect([outside.inFlight, inside.inFlight]).toEqual([0, 0]);
    });
  });

  test('a timeout outside a retry bounds the call, one inside each attempt', async () => {
    const slow = (s: Scope): Promise<void> => s.sleep(60).then(throws(own));
    const thrice = retry({ attempts: 3, backoff: constant(0), idempotent: true });
    const ended = (made: Policy): Promise<unknown> =>
      virtualTime(async (time) => {
        const call = errorOf(made.run(slow)).then((error) => [error.name, time.now()]);
        await time.runAll();
        return call;
      });
    expect(await ended(policy(timeout(100), thrice))).toEqual(['TimeoutError', 100]);
    expect(await ended(policy(thrice, timeout(100)))).toEqual(['Error', 180]);
    expect(await ended(policy(thrice, timeout(50)))).toEqual(['TimeoutError', 150]);
  });

  test('of three timeouts each bounds what is inside it', async () => {
    for (const shortest of [0, 1, 2]) {
      const spans = [100, 100, 100].with(shortest, 10).map((ms) => timeout(ms));
      const settled = await settleInTime(async (time) => [
        await errorOf(policy(...spans).run((s) => s.sleep('1h'))),
        time.now(),
      ]);
      expect(settled).toMatchObject({ value: [{ code: 'TIMEOUT', timeoutMs: 10 }, 10] });
    }
  });

  test('two retries multiply', async () => {
    const op = scripted(Array.from({ length: 6 }, () => fail(own)));
    const made = policy(retry({ attempts: 2, backoff: constant(0) }), retry({ attempts: 3, backoff: constant(0) }));
    expect(await errorOf(made.run(op))).toBe(own);
    expect(op.calls).toHaveLength(6);
  });

  test('a breaker or bulkhead stands in a policy once: inside itself it would wait for itself', () => {
    for (const gate of [breaker(), bulkhead({ limit: 1 })]) {
      expect(() => policy(gate, retry(), gate)).toThrow(
        expect.objectContaining({ code: 'BAD_OPTION', option: 'policy' }),
      );
    }
  });
});

describe('P1.1 layers in any order', () => {
  const layers = (): readonly Policy[] => [
    timeout('1h'),
    retry({ attempts: 3, backoff: constant(10), budget: false }),
    breaker({ failures: 1e6 }),
    bulkhead({ limit: 5 }),
    timeout('30m'),
    nothing,
  ];

  test('run an operation as often, at the same times, tell it the same, and hand on what it came to', async () => {
    for (const order of orders(layers())) {
      const text = String(policy(...order));
      await virtualTime(async (time) => {
        const seen: unknown[] = [];
        const call = policy(...order).run((s) => {
          seen.push([time.now(), s.attempt, s.previousError]);
          if (s.attempt < 3) throw `error ${s.attempt}`;
          return 'result';
        });
        await time.runAll();
        expect(await call, text).toBe('result');
        expect(seen, text).toEqual([
          [0, 1, undefined],
          [10, 2, 'error 1'],
          [20, 3, 'error 2'],
        ]);
        const error = new Error('last');
        const failing = errorOf(policy(...order).run(throws(error)));
        await time.runAll();
        expect(await failing, text).toBe(error);
        expect(stoppedBy(error), text).toBe('attempts');
        expect(
          attemptsOf(error).map(({ number, delayMs }) => [number, delayMs]),
          text,
        ).toEqual([
          [1, 0],
          [2, 10],
          [3, 10],
        ]);
      });
    }
  });

  test('are cancelled as one', async () => {
    for (const order of orders(layers())) {
      const controller = new AbortController();
      const log: unknown[] = [];
      const call = policy(...order).run(
        async (s) => {
          s.defer((exit) => log.push(exit.cancelled));
          await s.sleep('1h');
        },
        { signal: controller.signal },
      );
      controller.abort('reason');
      expect(await errorOf(call), String(policy(...order))).toBe('reason');
      expect(log).toEqual([true]);
    }
  });

  test('show the operation the values of the caller, and the nearest deadline', async () => {
    const traceId = contextKey<string>('trace_id');
    for (const order of orders(layers())) {
      const seen = await settleInTime(() =>
        scope({ values: [[traceId, 'a1']], timeout: '2h' }, (s) =>
          policy(...order).run((attempt) => [attempt.get(traceId), attempt.timeLeft()], { signal: s }),
        ),
      );
      expect(seen, String(policy(...order))).toEqual({ value: ['a1', 1_800_000] });
    }
  });
});

describe('P1.1 stages', () => {
  const scripts: readonly (readonly Step<any>[])[] = [
    ['ok'],
    [fail(own), 'ok'],
    [after(60, 'late'), 'ok'],
    [fail(own), fail(new TypeError('bug'))],
    [after(30, fail(own)), after(30, fail(own)), after(30, fail(own))],
    [after(200, 'too late'), after(200, 'too late'), after(200, 'too late')],
  ];
  const stacks: readonly (() => readonly Policy[])[] = [
    () => [retry({ attempts: 3, backoff: constant(10), idempotent: true }), timeout(50)],
    () => [timeout(100), retry({ attempts: 3, backoff: constant(10), idempotent: true }), timeout(50)],
    () => [
      timeout(75),
      retry({ attempts: 3, backoff: constant(40), idempotent: false }),
      breaker({ failures: 2 }),
      timeout(50),
    ],
    () => [
      timeout(500),
      retry({ backoff: constant(10), idempotent: false }),
      breaker({ failures: 1 }),
      bulkhead({ limit: 1 }),
    ],
    () => [
      bulkhead({ limit: 1, queue: 1 }),
      retry({ backoff: constant(10), maxElapsed: 35, idempotent: false }),
      timeout(20),
    ],
  ];

  async function play(made: Policy, script: readonly Step<any>[]): Promise<unknown> {
    const op = scripted(script);
    return virtualTime(async (time) => {
      const call = made.settle((s) => op(s)).then((outcome) => [outcome, time.now()] as const);
      await time.runAll();
      const [{ ok, stoppedBy, attempts, ...outcome }, endedAt] = await call;
      return {
        endedAt,
        ok,
        stoppedBy,
        // Not the text of a timeout: whose it was, an attempt's or a call's, depends on the stage.
        value: 'value' in outcome ? outcome.value : ((outcome.error as { code?: string }).code ?? outcome.error),
        calls: op.calls.map(({ at }) => at),
        attempts: attempts.map(({ number, delayMs, verdict, refused }) => [number, delayMs, verdict, refused]),
      };
    });
  }

  test('are as good as one: a layer that does nothing between any two layers changes nothing', async () => {
    for (const stack of stacks) {
      for (const script of scripts) {
        const layers = stack();
        const expected = await play(policy(...layers), script);
        for (let place = 0; place <= layers.length; place++) {
          const split = stack().toSpliced(place, 0, nothing);
          expect(await play(policy(...split), script), String(policy(...split))).toEqual(expected);
        }
        const all = stack().flatMap((it) => [nothing, it]);
        expect(await play(policy(...all), script), String(policy(...all))).toEqual(expected);
      }
    }
  });

  test('know the deadline of a timeout in a stage outside: a back-off that would pass it is not begun', async () => {
    const made = policy(timeout(100), fallback(throws(own)), breaker(), retry({ backoff: constant(200) }));
    const settled = await settleInTime(async (time) => {
      const outcome = await policy(timeout(100), nothing, breaker(), retry({ backoff: constant(200) })).settle(
        throws(own),
      );
      return [outcome.stoppedBy, time.now()];
    });
    expect(settled).toEqual({ value: ['deadline', 0] });
    expect(await errorInTime(() => made.run(throws('first')))).toBe(own);
  });

  test('ask failWhen in each: a result that it judges is a failure for all layers', async () => {
    const [outer, inner] = [breaker({ failures: 2 }), breaker({ failures: 2 })];
    const made = policy(
      outer,
      retry({ attempts: 2, backoff: constant(0) }),
      timeout('1h'),
      inner,
      failWhen((it) => it === 'bad'),
    );
    expect(await made.run(() => 'bad')).toBe('bad');
    expect([outer.state, inner.state]).toEqual(['closed', 'open']);
    inner.reset();
    expect(await made.run(() => 'bad')).toBe('bad');
    expect(outer.state).toBe('open');
  });

  test('give a token back for a retry that a layer between them answered', async () => {
    const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
    let asked = 0;
    const cached = layer({ name: 'cached', run: (next) => (asked++ === 0 ? next() : 'cached') });
    const made = policy(retry({ backoff: constant(0), budget: shared }), cached);
    expect(await made.run(throws(own))).toBe('cached');
    expect(shared.tokens).toBe(5);
  });

  test('let a caller who cancels go at once, with a grace of 0, from a back-off of the stage inside', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const made = policy(timeout('1h', { grace: 0 }), nothing, retry({ backoff: constant(500) }));
      const call = errorOf(made.run(throws(own), { signal: controller.signal }));
      await time.advance(10);
      controller.abort('reason');
      expect(await call).toBe('reason');
      await time.advance(0);
      expect([abandoned(), time.now(), time.pending]).toEqual([0, 10, 0]);
    });
  });

  test('let a caller who cancels go at once, with a grace of 0, whose operation is deaf in the stage inside', async () => {
    await virtualTime(async (time) => {
      const deaf = Promise.withResolvers<void>();
      const controller = new AbortController();
      const made = policy(timeout('1h', { grace: 0 }), nothing, retry());
      const call = errorOf(made.run(() => deaf.promise, { signal: controller.signal }));
      await time.advance(5);
      controller.abort('reason');
      expect(await call).toBe('reason');
      expect([abandoned(), time.now()]).toEqual([1, 5]);
      deaf.resolve();
      await time.runAll();
      expect([abandoned(), time.pending]).toEqual([0, 0]);
    });
  });

  test('let a caller go as one: with the timeout of the layer that has passed', async () => {
    const deaf = Promise.withResolvers<void>();
    const made = policy(timeout(50), nothing, breaker(), retry(), timeout('1h'), nothing);
    const settled = await settleInTime(async (time) => [await errorOf(made.run(() => deaf.promise)), time.now()]);
    expect(settled).toEqual({ value: [expect.any(TimeoutError), 75] });
    deaf.resolve();
    await deaf.promise;
  });
});
