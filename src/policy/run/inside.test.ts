/** Calls of a stage inside. */
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import {
  abandoned,
  breaker,
  bulkhead,
  constant,
  layer,
  policy,
  retry,
  timeout,
  TimeoutError,
  type Bulkhead,
  type Policy,
} from '../../index.ts';
import { Attempt } from './attempt.ts';

test('a layer may call `next` for ever: calls that have ended are kept by nobody', async () => {
  const seen: number[] = [];
  let outer: Attempt | undefined;
  const polling = layer({
    name: 'polling',
    async run(next) {
      for (let i = 0; i < 100; i++) {
        await next();
        seen.push(outer!.inside!.calls.size);
      }
    },
  });
  await policy(retry(), polling, bulkhead({ limit: 1 })).run((s) => {
    const { owner } = (s as Attempt).context.above!.above!;
    outer = owner as Attempt;
    expect(outer).toBeInstanceOf(Attempt);
    expect(outer.inside!.calls.size).toBe(1);
  });
  expect(Math.max(...seen)).toBe(0);
});

test('P5.4 a `TimeoutError` that a listener of the signal has frozen lets the caller go all the same, and nobody else’s timer is lost', () =>
  virtualTime(async (time) => {
    const deaf = Promise.withResolvers<void>();
    const frozen = errorOf(
      timeout(10).run((s) => {
        s.signal.addEventListener('abort', () => Object.freeze(s.signal.reason));
        return deaf.promise;
      }),
    );
    const other = errorOf(timeout(10).run(() => deaf.promise));
    await time.advance(100);
    expect(await frozen).toBeInstanceOf(TimeoutError);
    expect(await other).toMatchObject({ abandoned: true });
    deaf.resolve();
  }));

describe('`detach` lets cleanups go on, and nothing else: as in one stage', () => {
  const plain = layer({ name: 'plain', run: (next) => next() });
  const soon = timeout(10, { grace: 0, detach: true });

  test.for<[string, (permits: Bulkhead) => Policy]>([
    ['a timeout beside the bulkhead', (permits) => policy(permits, soon)],
    ['a timeout in a stage inside', (permits) => policy(permits, plain, soon)],
    ['a timeout two stages further in', (permits) => policy(permits, plain, breaker(), breaker(), soon)],
    ['a timeout in the stage outside', (permits) => policy(soon, permits, plain, breaker())],
  ])('P5.4 permits stay taken until the body has settled: %s', ([, make]) =>
    virtualTime(async (time) => {
      const deaf = Promise.withResolvers<void>();
      const permits = bulkhead({ limit: 1 });
      const call = errorOf(make(permits).run(() => deaf.promise));
      await time.advance(100);
      expect(await call).toMatchObject({ abandoned: true });
      expect([permits.inFlight, abandoned()]).toEqual([1, 1]);
      deaf.resolve();
      await time.advance(0);
      expect([permits.inFlight, abandoned()]).toEqual([0, 0]);
    }),
  );

  test.for<[string, Policy]>([
    ['beside the retry', soon],
    ['in a stage inside', policy(plain, soon)],
    ['behind a second breaker', policy(breaker(), breaker(), soon)],
  ])('P3.3 what was abandoned %s is not run beside itself, whatever `retryIf` says', ([, inside]) =>
    virtualTime(async (time) => {
      const deaf = Promise.withResolvers<void>();
      let runs = 0;
      const again = retry({ backoff: constant(0), idempotent: false, retryIf: () => true });
      const call = policy(again, inside).settle(() => (runs++, deaf.promise));
      await time.advance(100);
      expect(await call).toMatchObject({ stoppedBy: 'ambiguous', attempts: [{ abandoned: true }] });
      expect(runs).toBe(1);
      deaf.resolve();
      await time.advance(0);
      expect(abandoned()).toBe(0);
    }),
  );
});

describe('a layer that does not wait for what it has begun', () => {
  const tooSlow = layer({
    name: 'too slow',
    run: (next, s) => Promise.race([next(), s.sleep(10).then(() => Promise.reject(new Error('too slow')))]),
  });
  const stale = layer({ name: 'stale', run: (next) => (void next(), 'stale') });

  test.for<[string, Policy]>([
    ['beside it', tooSlow],
    ['further in', policy(layer({ name: 'plain', run: (next) => next() }), bulkhead({ limit: 9 }), tooSlow)],
  ])('P3.3 P7.2 keeps its permit, and is not run beside itself, when the layer is %s', ([, inside]) =>
    virtualTime(async (time) => {
      const deaf = Promise.withResolvers<void>();
      const permits = bulkhead({ limit: 1 });
      let runs = 0;
      const call = policy(retry({ backoff: constant(0), idempotent: false }), permits, inside).settle(
        () => (runs++, deaf.promise),
      );
      await time.advance(100);
      expect(await call).toMatchObject({ ok: false, stoppedBy: 'ambiguous', attempts: [{ abandoned: true }] });
      expect([runs, permits.inFlight]).toEqual([1, 1]);
      deaf.resolve();
      await time.advance(0);
      expect(permits.inFlight).toBe(0);
    }),
  );

  test('P7.2 a result that comes at once does not wait for it; the permit does', () =>
    virtualTime(async (time) => {
      const slow = Promise.withResolvers<string>();
      const permits = bulkhead({ limit: 1 });
      expect(await policy(permits, stale).run(() => slow.promise)).toBe('stale');
      expect(permits.inFlight).toBe(1);
      slow.resolve('fresh');
      await time.advance(0);
      expect(permits.inFlight).toBe(0);
    }));
});
