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
