/** What a bulkhead does not even look at, and what its refusals of options say. */
import { expect, test, vi } from 'vitest';
import { attemptsOf, bulkhead, scope, TimeoutError, type BulkheadOptions } from '../../index.ts';
import { clock } from '../../foundation/index.ts';
import { virtualTime } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';

test('who finds the queue full is not asked for a priority', async () => {
  const priority = vi.fn<() => number>(() => 1);
  const gate = bulkhead({ limit: 1, queue: 1, priority });
  let end!: () => void;
  const calls = [gate.run(() => new Promise<void>((resolve) => (end = resolve))), gate.run(() => {})];
  expect(priority).toHaveBeenCalledTimes(1);
  expect(await errorOf(gate.run(() => {}))).toMatchObject({ reason: 'full' });
  expect(priority).toHaveBeenCalledTimes(1);
  end();
  await Promise.all(calls);
});

test('nobody asks when an attempt began that did not wait', async () => {
  const { signal } = new AbortController();
  const error = await errorOf(
    bulkhead({ limit: 1 }).run(
      () => {
        throw new Error('down');
      },
      { signal },
    ),
  );
  expect(attemptsOf(error)).toMatchObject([{ startedAt: null, durationMs: null }]);
});

test('P7.5: while nobody knows how long work takes, a deadline that has passed unnoticed refuses nobody', async () => {
  await virtualTime(async (time) => {
    const gate = bulkhead({ limit: 1, queue: 1 });
    const holder = gate.run((s) => s.sleep(100));
    const overdue = errorOf(
      scope({ timeout: 10 }, (s) => {
        // A thread that was held up: the time has passed, and the timer has not fired yet.
        const busy = vi.spyOn(clock, 'now').mockReturnValue(clock.now() + 20);
        const waiter = gate.run(() => expect.fail('ran'), { signal: s });
        busy.mockRestore();
        expect(gate.waiting).toBe(1);
        return waiter;
      }),
    );
    await time.runAll();
    expect(await overdue).toBeInstanceOf(TimeoutError);
    await holder;
  });
});

test.each<[BulkheadOptions, option: string, expected: string]>([
  [{ limit: 1, name: 5 as never }, 'name', 'a string'],
  [{ limit: 1, dryRun: 'yes' as never }, 'dryRun', 'true or false'],
  [{ limit: 0 }, 'limit', 'a whole number from 1, or Infinity'],
  [{ limit: 1, queue: -1 }, 'queue', 'a whole number from 0, or Infinity'],
])('P1.2: the refusal of %j tells what is expected', (options, option, expected) => {
  expect(() => bulkhead(options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION', option, expected }));
});
