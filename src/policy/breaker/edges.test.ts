/** Breakers where one thing meets another: an outage and isolation, a cancelled caller and a healthy server; and what is not even looked at. */
import { describe, expect, test, vi } from 'vitest';
import { clock } from '../../foundation/index.ts';
import { virtualTime } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import { attemptsOf, breaker, type BreakerOptions } from '../../index.ts';

const down = new Error('down');
const fail = (): never => {
  throw down;
};

/** An operation that ends when the test says so. */
function held(): { op: () => Promise<unknown>; reject: (error: unknown) => void } {
  const { promise, reject } = Promise.withResolvers<unknown>();
  return { op: () => promise, reject };
}

test('P6.4: one that is isolated in an outage is worth trying again never, not after the cooldown', async () => {
  const gate = breaker({ failures: 1, cooldown: '10s' });
  await errorOf(gate.run(fail));
  gate.isolate();
  expect(await errorOf(gate.run(fail))).toMatchObject({ state: 'isolated', retryAfterMs: Infinity });
});

describe('P6.6: a call whose caller has cancelled', () => {
  test('proves a healthy server all the same: an answer closes a breaker that is half-open', async () => {
    await virtualTime(async (time) => {
      const gate = breaker({ failures: 1, cooldown: 10 });
      await errorOf(gate.run(fail));
      await time.advance(10);
      const controller = new AbortController();
      const { op, reject } = held();
      const probe = errorOf(gate.run(op, { signal: controller.signal }));
      controller.abort();
      reject(Object.assign(new Error('not found'), { status: 404 }));
      expect(await probe).toMatchObject({ status: 404 });
      expect(gate.state).toBe('closed');
    });
  });

  test('and failed by then is neither: failures before and after it are in a row', async () => {
    const gate = breaker({ failures: 2 });
    await errorOf(gate.run(fail));
    const controller = new AbortController();
    const { op, reject } = held();
    const call = errorOf(gate.run(op, { signal: controller.signal }));
    controller.abort();
    reject(down);
    expect(await call).toBe(down);
    expect(gate.state).toBe('closed');
    await errorOf(gate.run(fail));
    expect(gate.state).toBe('open');
  });
});

test('without `slow`, nobody asks when a call began', async () => {
  const began = async (options: BreakerOptions): Promise<unknown> =>
    attemptsOf(await errorOf(breaker(options).run(fail)))[0]!.startedAt;
  expect(await began({})).toBeNull();
  expect(await began({ slow: { over: 10, ratio: 1 }, lastCalls: 20 })).toEqual(expect.any(Number));
});

test('a refusal of which nobody is told asks the clock twice: is it over, and when will it be', async () => {
  const gate = breaker({ failures: 1 });
  await errorOf(gate.run(fail));
  using now = vi.spyOn(clock, 'now');
  await errorOf(gate.run(fail));
  expect(now).toHaveBeenCalledTimes(2);
});

describe('P1.2: a refusal tells what is expected', () => {
  const known = 'a function that gives';
  test.each<[BreakerOptions, option: string, expected: string]>([
    [{ ratio: 0.5 }, 'ratio', 'window or lastCalls beside it'],
    [{ slow: { over: 10, ratio: 0.5 } }, 'slow', 'window or lastCalls beside it'],
    [{ window: '10s' }, 'window', 'ratio or slow beside it'],
    [{ lastCalls: 10 }, 'lastCalls', 'ratio or slow beside it'],
    [{ lastCalls: 10, window: '10s', ratio: 1 }, 'lastCalls', 'either window or lastCalls'],
    [{ lastCalls: 1_000_001, ratio: 1 }, 'lastCalls', 'a whole number from 1 to 1000000'],
    [{ failures: 0 }, 'failures', 'a whole number from 1'],
    [{ lastCalls: 10, ratio: '0.5' as never }, 'ratio', 'a share above 0, to 1'],
    [{ dryRun: 1 as never }, 'dryRun', 'true or false'],
    [{ name: 5 as never }, 'name', 'a string'],
  ])('of %j', (options, option, expected) => {
    expect(() => breaker(options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION', option, expected }));
  });

  test('of a judge that answers something else', async () => {
    const gate = breaker({ judge: () => 'fine' as never });
    expect(await errorOf(gate.run(() => 1))).toMatchObject({
      option: 'judge',
      expected: `${known} 'success', 'failure', 'neither' or undefined`,
    });
  });
});

test('the last million calls can be looked at', () => {
  expect(breaker({ lastCalls: 1_000_000, ratio: 0.5 }).state).toBe('closed');
});
