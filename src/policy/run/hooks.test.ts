/** Hooks and predicates that throw (P2.5): that ends the call with their error, and what the attempt had to say is kept beside it. */
import { describe, expect, test, vi } from 'vitest';
import { recordEvents, virtualTime } from '../../testing/index.ts';
import { errorInTime, errorOf } from '../../../test/settle.ts';
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
  policy,
  retry,
  stoppedBy,
  suppressedErrors,
  timeout,
  type Policy,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const throws = (error: unknown) => (): never => {
  throw error;
};

/** Policies with one hook that throws `error` when an attempt has failed. */
const hooks: readonly (readonly [hook: string, make: (error: unknown) => Policy])[] = [
  ['retryIf', (error) => retry({ backoff: zero, retryIf: throws(error) })],
  ['onRetry', (error) => retry({ backoff: zero, onRetry: throws(error) })],
  ['a back-off of one’s own', (error) => retry({ backoff: throws(error) })],
  ['the judge of a breaker', (error) => policy(retry({ backoff: zero }), breaker({ judge: throws(error) }))],
  [
    'the judge of a breaker between other gates',
    (error) => policy(retry({ backoff: zero }), bulkhead({ limit: 1 }), breaker({ judge: throws(error) })),
  ],
  [
    'the judge of a breaker inside a timeout',
    (error) => policy(timeout('1h'), retry({ backoff: zero }), breaker({ judge: throws(error) }), timeout('1h')),
  ],
];

describe.each(hooks)('P2.5 %s that throws after a failed attempt', (_hook, make) => {
  test('ends the call with that error, and keeps the attempt’s own in its suppressedErrors', async () => {
    const [hook, own] = [new Error('hook'), new Error('own')];
    const op = vi.fn<() => void>(throws(own));
    expect(await errorOf(make(hook).run(op))).toBe(hook);
    expect(suppressedErrors(hook)).toEqual([own]);
    expect(op).toHaveBeenCalledTimes(1);
  });

  test('is told by attemptsOf: the attempts, and that repeating could not help', async () => {
    const [hook, own] = [new Error('hook'), new Error('own')];
    await errorOf(make(hook).run(throws(own)));
    expect(attemptsOf(hook)).toMatchObject([{ number: 1, error: own }]);
    expect(stoppedBy(hook)).toBe('verdict');
  });

  test('may throw the attempt’s own error, which then has no company', async () => {
    const own = new Error('own');
    expect(await errorOf(make(own).run(throws(own)))).toBe(own);
    expect(suppressedErrors(own)).toEqual([]);
  });

  test('may throw a primitive, which cannot keep the attempt’s own error: an event tells of that', async () => {
    const own = new Error('own');
    for (const primitive of [undefined, 'hook', 0]) {
      using events = recordEvents();
      const error = await errorOf(make(primitive).run(throws(own), { name: 'query' }));
      expect(Object.is(error, primitive)).toBe(true);
      expect(events.filter(({ event }) => event === 'scope:discarded')).toMatchObject([{ name: 'query', error: own }]);
    }
    // Nobody listens.
    expect(await errorOf(make('hook').run(throws(own)))).toBe('hook');
  });

  test('is a failure as any other for a fallback outside', async () => {
    const hook = new Error('hook');
    expect(
      await policy(
        fallback((error) => error),
        make(hook),
      ).run(throws(new Error('own'))),
    ).toBe(hook);
  });
});

describe('P2.5 a hook that throws', () => {
  test('after some attempts keeps what the last one failed with', async () => {
    const hook = new Error('hook');
    const made = retry({
      attempts: 5,
      backoff: zero,
      retryIf: (_, { attempt }) => (attempt < 3 ? true : throws(hook)()),
    });
    const error = await errorOf(
      made.run((s) => {
        throw new Error(`own ${s.attempt}`);
      }),
    );
    expect(error).toBe(hook);
    expect(suppressedErrors(hook)).toEqual([new Error('own 3')]);
    expect(attemptsOf(hook)).toHaveLength(3);
  });

  test('as onRetry gives the token back', async () => {
    const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
    await errorOf(retry({ backoff: zero, budget: shared, onRetry: throws(new Error('hook')) }).run(throws('own')));
    expect(shared.tokens).toBe(5);
  });

  test('as retryIf or a back-off takes none', async () => {
    const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
    await errorOf(retry({ retryIf: throws(new Error('hook')), budget: shared }).run(throws('own')));
    await errorOf(retry({ backoff: throws(new Error('hook')), budget: shared }).run(throws('own')));
    expect(shared.tokens).toBe(5);
  });

  test('as the judge of a breaker after a success fails the call all the same', async () => {
    const hook = new Error('hook');
    const error = await errorOf(policy(retry(), breaker({ judge: throws(hook) })).run(() => 'result'));
    expect(error).toBe(hook);
    expect(suppressedErrors(hook)).toEqual([]);
    expect(stoppedBy(hook)).toBe('verdict');
  });

  test('as the judge of a breaker is neither for a breaker outside, and permits are given back', async () => {
    const [outer, gate] = [breaker({ failures: 1 }), bulkhead({ limit: 1 })];
    const made = policy(outer, retry(), gate, breaker({ judge: throws(new Error('hook')) }));
    await errorOf(made.run(() => 'result'));
    expect([outer.state, gate.inFlight]).toEqual(['closed', 0]);
  });

  test('is not asked when the caller has cancelled', async () => {
    const unreached = (): never => expect.fail('asked');
    const controller = new AbortController();
    const own = new Error('own');
    const made = retry({ retryIf: unreached, backoff: unreached, onRetry: unreached });
    const call = made.run(
      () => {
        controller.abort();
        throw own;
      },
      { signal: controller.signal },
    );
    expect(await errorOf(call)).toBe(own);
  });

  test('as failWhen ends the call: there is no error that it could keep', async () => {
    const hook = new Error('hook');
    const op = vi.fn<() => string>(() => 'result');
    const made = policy(retry({ backoff: zero }), failWhen(throws(hook)));
    expect(await errorOf(made.run(op))).toBe(hook);
    expect(op).toHaveBeenCalledTimes(1);
    expect(suppressedErrors(hook)).toEqual([]);
    expect(attemptsOf(hook)).toMatchObject([{ number: 1, error: hook }]);
  });

  test('as the priority of a bulkhead ends the call, and gives up the place', async () => {
    await virtualTime(async (time) => {
      const hook = new Error('hook');
      const gate = bulkhead({ limit: 1, queue: 1, priority: throws(hook) });
      const first = gate.run((s) => s.sleep(10));
      expect(await errorOf(policy(retry({ backoff: zero }), gate).run(() => expect.fail('ran')))).toBe(hook);
      expect(gate.waiting).toBe(0);
      await time.runAll();
      await first;
      expect(gate.inFlight).toBe(0);
    });
  });

  test('or a back-off that gives no delay, is a mistake of the program: BAD_OPTION', async () => {
    for (const given of [-1, Number.NaN, Infinity, undefined, null, '5', 5n, {}, Promise.resolve(5)]) {
      const own = new Error('own');
      const error = await errorInTime(() => retry({ backoff: () => given as number }).run(throws(own)));
      expect(error).toBeInstanceOf(typeof given === 'number' ? RangeError : TypeError);
      expect(error).toMatchObject({
        code: 'BAD_OPTION',
        option: 'backoff',
        expected: 'a function that gives milliseconds from 0',
      });
      expect(error.given).toBe(given);
      expect(suppressedErrors(error)).toEqual([own]);
    }
  });
});

describe('P2.5 a hook of a layer in a stage inside ends the call as in one stage: what has succeeded is not done again', () => {
  const between = layer({ name: 'between', run: (next) => next() });
  const full = bulkhead({ limit: 1, queue: 1, priority: throws(new Error('hook')) });

  test.for<[string, (error: unknown) => Policy]>([
    ['judge, behind a layer of one’s own', (error) => policy(between, breaker({ judge: throws(error) }))],
    ['judge, behind another breaker', (error) => policy(breaker(), breaker({ judge: throws(error) }))],
    ['failWhen, behind a layer of one’s own', (error) => policy(between, failWhen(throws(error)))],
    [
      'judge, two stages further in',
      (error) => policy(between, bulkhead({ limit: 1 }), between, breaker({ judge: throws(error) })),
    ],
    [
      'judge, behind a fallback that passes it on',
      (error) => policy(fallback(throws(error)), breaker({ judge: throws(error) })),
    ],
  ])('%s', async ([, make]) => {
    const hook = new Error('hook');
    const charge = vi.fn<() => string>(() => 'charged');
    const outcome = await policy(retry({ attempts: 3, backoff: zero, idempotent: true }), make(hook)).settle(charge);
    expect(outcome).toMatchObject({ ok: false, error: hook, stoppedBy: 'verdict' });
    expect(charge).toHaveBeenCalledTimes(1);
    expect(stoppedBy(hook)).toBe('verdict');
  });

  test('priority', async () => {
    const blocked = Promise.withResolvers<void>();
    const first = full.run(() => blocked.promise);
    const op = vi.fn<() => void>();
    const outcome = await policy(retry({ attempts: 3, backoff: zero }), between, full).settle(op);
    expect(outcome).toMatchObject({ ok: false, error: new Error('hook'), stoppedBy: 'verdict' });
    expect(outcome.attempts).toHaveLength(1);
    blocked.resolve();
    await first;
  });

  test('a layer in between may do something else instead', async () => {
    const call = policy(
      retry({ attempts: 3, backoff: zero }),
      fallback('instead'),
      breaker({ judge: throws(new Error('hook')) }),
    );
    expect(await call.run(() => 'charged')).toBe('instead');
  });

  test('an error of the operation that comes later is one like any other', async () => {
    let calls = 0;
    const twice = layer({ name: 'twice', run: (next) => next().catch(next) });
    const flaky = failWhen(() => {
      if (++calls === 1) throw new Error('hook');
      return false;
    });
    const op = vi
      .fn<() => string>()
      .mockReturnValueOnce('first')
      .mockImplementationOnce(throws(new Error('own')))
      .mockReturnValue('third');
    expect(await policy(retry({ attempts: 3, backoff: zero }), twice, flaky).run(op)).toBe('third');
  });
});
