import { describe, expect, test } from 'vitest';
import { suppressedErrors } from '../../foundation/index.ts';
import { breaker } from '../breaker/breaker.ts';
import { failWhen } from '../fail-when/fail-when.ts';
import { policy } from '../run/policy.ts';
import { constant } from './backoff.ts';
import { retry } from './retry.ts';

const own = new Error('own');
const fails = (): never => {
  throw own;
};
const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => expect.fail('it succeeded'),
    (error: unknown) => error,
  );

describe('P2.5 a predicate that gives no answer ends the call, and the error of the attempt is kept', () => {
  test.for<[string, () => unknown]>([
    ['a promise', () => Promise.resolve('failure')],
    ['another word', () => 'bad'],
    ['a boolean', () => false],
  ])('judge: %s', async ([, answer]) => {
    const error = await errorOf(breaker({ judge: answer as never }).run(fails));
    expect(error).toMatchObject({ code: 'BAD_OPTION', option: 'judge' });
    expect(suppressedErrors(error)).toContain(own);
  });

  test('failWhen: a promise', async () => {
    const call = policy(retry({ backoff: constant(0) }), failWhen((() => Promise.resolve(false)) as never));
    expect(await errorOf(call.run(() => 'result'))).toMatchObject({ code: 'BAD_OPTION', option: 'failWhen' });
  });
});

test('P3.4 COMMIT_UNKNOWN is not retried, whatever anybody says: not by retryIf, nor retryOn, nor when idempotent', async () => {
  const unknown = Object.assign(new Error('was it committed?'), { code: 'COMMIT_UNKNOWN' });
  let runs = 0;
  const options = { backoff: constant(0), idempotent: true, retryIf: () => true, retryOn: ['COMMIT_UNKNOWN'] };
  const outcome = await retry(options).settle(() => {
    runs++;
    throw unknown;
  });
  expect(outcome).toMatchObject({ ok: false, error: unknown, stoppedBy: 'ambiguous' });
  expect(runs).toBe(1);
});
