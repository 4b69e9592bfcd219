/** Calls of a stage inside. */
import { expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import { bulkhead, layer, policy, retry, timeout, TimeoutError } from '../../index.ts';
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
