/** What a retry does only if somebody is there to hear it, and what it says of an answer that is none. */
import { expect, test, vi } from 'vitest';
import { clock, nextTurn } from '../../foundation/index.ts';
import { errorOf } from '../../../test/settle.ts';
import { constant, retry } from '../../index.ts';

const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
const fail = (): never => {
  throw reset;
};

test('the warning of P3.10 builds no event while nobody listens: no clock is asked', async () => {
  const made = retry({ budget: false });
  using warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  using now = vi.spyOn(clock, 'now');
  expect(await errorOf(made.run(fail))).toBe(reset);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(now).not.toHaveBeenCalled();
});

test('what onRetry rejects with is no event while nobody listens: no clock is asked', async () => {
  const onRetry = vi.fn<() => unknown>(() => Promise.reject(new Error('log failed')));
  const made = retry({ attempts: 2, backoff: constant(0), budget: false, idempotent: true, onRetry });
  using now = vi.spyOn(clock, 'now');
  expect(await errorOf(made.run(fail))).toBe(reset);
  await nextTurn();
  expect(onRetry).toHaveBeenCalledTimes(1);
  expect(now).not.toHaveBeenCalled();
});

test('P2.5: a retryIf that answers something else ends the call, and the error tells what is expected', async () => {
  const made = retry({ retryIf: () => 'yes' as never });
  expect(await errorOf(made.run(fail))).toMatchObject({
    code: 'BAD_OPTION',
    option: 'retryIf',
    given: 'yes',
    expected: 'a function that gives true, false or undefined',
  });
});
