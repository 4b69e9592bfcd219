/** `settle` (P2.6): a frozen outcome in place of the throw, with the attempts and why there was no other. It never rejects. */
import { describe, expect, test } from 'vitest';
import { fail, scripted, virtualTime } from '../../testing/index.ts';
import { settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  bulkhead,
  constant,
  failWhen,
  fallback,
  layer,
  policy,
  retry,
  scope,
  timeout,
  type Policy,
  type PolicyOutcome,
  type RunOptions,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const twice = retry({ attempts: 2, backoff: zero });
const throws = (error: unknown) => (): never => {
  throw error;
};

/** On virtual time, which runs until no timer is left. */
async function outcomeOf<T>(
  made: Policy,
  op: (s: Scope) => T | PromiseLike<T>,
  options?: RunOptions,
): Promise<PolicyOutcome<T>> {
  const settled = await settleInTime(() => made.settle(op, options));
  return (settled as { value: PolicyOutcome<T> }).value;
}

describe('P2.6 settle resolves with an outcome', () => {
  test('of a success: the value, and the attempts that had failed before', async () => {
    expect(await outcomeOf(twice, () => 17)).toEqual({
      ok: true,
      value: 17,
      cancelled: false,
      attempts: [],
      stoppedBy: undefined,
    });
    const outcome = await outcomeOf(twice, scripted([fail('once'), 'ok']));
    expect(outcome).toMatchObject({ ok: true, value: 'ok', attempts: [{ number: 1, error: 'once' }] });
    expect(outcome.stoppedBy).toBeUndefined();
  });

  test('of a failure: the error, the attempts, and why there was no other', async () => {
    const [first, last] = [new Error('first'), new TypeError('last')];
    expect(await outcomeOf(retry({ backoff: zero }), scripted([fail(first), fail(last)]))).toMatchObject({
      ok: false,
      error: last,
      cancelled: false,
      attempts: [
        { number: 1, error: first, verdict: 'unknown' },
        { number: 2, error: last, verdict: 'permanent' },
      ],
      stoppedBy: 'verdict',
    });
  });

  test('of primitives and of errors that calls share, whose attempts nothing else can tell', async () => {
    for (const error of [undefined, null, 0, 'text', Symbol('s')]) {
      const outcome = await outcomeOf(twice, throws(error));
      expect(outcome.ok).toBe(false);
      expect(outcome.attempts.map((attempt) => attempt.error)).toEqual([error, error]);
      expect(outcome.stoppedBy).toBe('attempts');
    }
    const shared = new Error('shared');
    const [a, b] = await Promise.all([twice.settle(throws(shared)), retry({ attempts: 1 }).settle(throws(shared))]);
    expect([a.attempts.length, b.attempts.length]).toEqual([2, 1]);
  });

  test('that is frozen, with a frozen list', async () => {
    for (const op of [() => 1, throws('down')]) {
      const outcome = await twice.settle(op);
      expect(Object.isFrozen(outcome)).toBe(true);
      expect(Object.isFrozen(outcome.attempts)).toBe(true);
    }
  });

  test('that says whether the caller had cancelled, whatever came out', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const call = (op: (s: Scope) => unknown): Promise<PolicyOutcome<unknown>> =>
      twice.settle(op, { signal: controller.signal });
    const outcomes = Promise.all([
      call((s) => s.sleep('1h')),
      call((s) => s.sleep('1h').catch(() => 'nevertheless')),
      call((s) => s.sleep('1h').catch(throws('own'))),
    ]);
    controller.abort(reason);
    expect(await outcomes).toMatchObject([
      { ok: false, error: reason, cancelled: true, stoppedBy: 'cancelled' },
      { ok: true, value: 'nevertheless', cancelled: true, stoppedBy: undefined },
      { ok: false, error: 'own', cancelled: true, stoppedBy: 'cancelled' },
    ]);
  });

  test('that is not cancelled when its own attempt, or a timeout of a layer, ended it', async () => {
    expect(await outcomeOf(timeout(10), (s) => s.sleep('1h'))).toMatchObject({
      cancelled: false,
      stoppedBy: 'deadline',
    });
    const { signal } = new AbortController();
    const own = await outcomeOf(twice, (s) => s.cancel(), { signal });
    expect(own).toMatchObject({ ok: true, cancelled: false });
  });

  test('below a scope: cancelled if that was cancelled, or its deadline has passed', async () => {
    const outcome = (cancel: (s: Scope) => void, ms: number): Promise<unknown> =>
      settleInTime(() =>
        scope({ timeout: ms }, async (s) => {
          const call = twice.settle((attempt) => attempt.sleep('1h'), { signal: s });
          cancel(s);
          return call;
        }),
      );
    expect(await outcome((s) => s.cancel('reason'), 1000)).toMatchObject({
      value: { ok: false, error: 'reason', cancelled: true, stoppedBy: 'cancelled' },
    });
    expect(await outcome(() => {}, 10)).toMatchObject({ value: { ok: false, cancelled: true, stoppedBy: 'deadline' } });
  });

  test('also before anything ran', async () => {
    const options = { signal: AbortSignal.abort('reason') };
    const unreached = (): never => expect.fail('ran');
    const cancelled = { ok: false, error: 'reason', cancelled: true, attempts: [], stoppedBy: 'cancelled' };
    for (const made of [
      policy(),
      twice,
      timeout('1s'),
      policy(breaker(), bulkhead({ limit: 1 }), twice),
      policy(layer({ name: 'own', run: (next) => next() }), twice),
      policy(fallback(0), twice),
    ])
      expect(await made.settle(unreached, options)).toEqual(cancelled);
  });

  test('of a wait in a queue outside the retry that the caller ended', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const gate = bulkhead({ limit: 1, queue: 1 });
      const first = gate.run((s) => s.sleep(10));
      const call = policy(gate, twice).settle(() => expect.fail('ran'), { signal: controller.signal });
      controller.abort('reason');
      expect(await call).toMatchObject({ ok: false, error: 'reason', cancelled: true, stoppedBy: 'cancelled' });
      await time.runAll();
      await first;
    });
  });

  test('of a refusal outside the retry', async () => {
    const open = breaker({ failures: 1 });
    await open.settle(throws('down'));
    const outcome = await policy(open, twice).settle(() => expect.fail('ran'));
    expect(outcome).toMatchObject({ ok: false, error: { code: 'CIRCUIT_OPEN' }, stoppedBy: 'refused' });
  });

  test('of a refusal outside the retry, also when the layers inside have given a result before', async () => {
    const open = breaker();
    const repeats = layer({
      name: 'repeats',
      run: (next) =>
        next()
          .then(() => open.isolate())
          .then(next),
    });
    const remembers = layer({ name: 'remembers', run: () => 'before' });
    const outcome = await policy(repeats, open, remembers, twice).settle(() => expect.fail('ran'));
    expect(outcome).toMatchObject({ ok: false, attempts: [{ number: 1, refused: true }], stoppedBy: 'refused' });
  });

  test('of a result that was judged a failure: the result that it is, and why it was the last', async () => {
    const judged = policy(
      twice,
      failWhen((status: number) => status >= 400),
    );
    const outcome = await judged.settle(scripted([503, 429]));
    expect(outcome).toMatchObject({ ok: true, value: 429, attempts: [{ error: 503 }, { error: 429 }] });
    expect(outcome.stoppedBy).toBe('attempts');
  });

  test('of a fallback: its value, and why there was no further attempt before', async () => {
    const outcome = await policy(fallback('instead'), twice).settle(throws('down'));
    expect(outcome).toMatchObject({ ok: true, value: 'instead', attempts: [{ error: 'down' }, { error: 'down' }] });
    expect(outcome.stoppedBy).toBe('attempts');
  });

  test('of a hook that threw', async () => {
    const hook = new Error('hook');
    const outcome = await retry({ retryIf: throws(hook) }).settle(throws('down'));
    expect(outcome).toMatchObject({ ok: false, error: hook, attempts: [{ number: 1, error: 'down' }] });
    expect(outcome.stoppedBy).toBe('verdict');
  });

  test('of a layer of one’s own that throws: it was the one attempt', async () => {
    const made = policy(layer({ name: 'own', run: throws('own') }), retry());
    const outcome = await made.settle(() => expect.fail('ran'));
    expect(outcome).toEqual({ ok: false, error: 'own', cancelled: false, attempts: [], stoppedBy: 'attempts' });
  });

  test('of calls at once, each by itself', async () => {
    const outcomes = await Promise.all([1, 2, 3].map((n) => retry({ attempts: n, backoff: zero }).settle(throws(n))));
    expect(outcomes.map(({ attempts }) => attempts.length)).toEqual([1, 2, 3]);
  });
});
