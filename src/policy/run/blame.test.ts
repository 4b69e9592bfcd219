/** What a failure says of others: of the server, of the layers inside, of the budget. */
import { describe, expect, test } from 'vitest';
import { budget } from '../../budget/index.ts';
import { onEvent } from '../../events.ts';
import { virtualTime } from '../../testing/index.ts';
import { breaker } from '../breaker/breaker.ts';
import { bulkhead } from '../bulkhead/bulkhead.ts';
import { failWhen } from '../fail-when/fail-when.ts';
import { layer } from '../layer/layer.ts';
import { constant } from '../retry/backoff.ts';
import { retry } from '../retry/retry.ts';
import { policy } from './policy.ts';

const throws = (error: unknown) => (): never => {
  throw error;
};

describe('P6.6 neither success nor failure is', () => {
  test.for([
    ['an error of its own', new Error('socket hang up')],
    ['a connection that the abort has broken', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })],
  ])('%s, of a call that its caller has cancelled', async ([, error]) => {
    const guard = breaker({ failures: 1 });
    const controller = new AbortController();
    const call = guard.run((s) => new Promise((_, reject) => s.signal.addEventListener('abort', () => reject(error))), {
      signal: controller.signal,
    });
    controller.abort();
    await expect(call).rejects.toBe(error);
    expect(guard.state).toBe('closed');
  });

  test('a bug in failWhen', async () => {
    const guard = breaker({ failures: 1 });
    const bug = new Error('bug');
    await expect(policy(guard, failWhen(throws(bug))).run(() => 'well')).rejects.toBe(bug);
    expect(guard.state).toBe('closed');
  });
});

test('P3.11 an error of one’s own layer is no refusal, though nothing inside ran: it counts, and its token stays taken', async () => {
  const shared = budget({ initial: 10, ratio: 0, trickle: 0 });
  const down = new Error('down');
  const call = policy(
    retry({ attempts: 3, backoff: constant(0), budget: shared }),
    layer({ name: 'own', run: throws(down) }),
  );
  const outcome = await call.settle(() => expect.fail('ran'));
  expect(outcome.attempts.map(({ refused }) => refused)).toEqual([false, false, false]);
  expect(shared.tokens).toBe(8);
});

test('P3.9 a refusal that is retried at once lets others have their turn: what it waits for comes free', async () => {
  const slots = bulkhead({ limit: 1 });
  const again = retry({ attempts: Infinity, backoff: constant(0), retryOn: ['BULKHEAD_FULL'] });
  const first = slots.run((s) => s.sleep(5));
  await expect(policy(again, slots).run(() => 'in')).resolves.toBe('in');
  await first;
});

test('a promise that onRetry returns is not waited for, and what it rejects with is told', async () => {
  const late = new Error('late');
  const told: unknown[] = [];
  using _listener = onEvent('scope:discarded', ({ error }) => told.push(error));
  await virtualTime(async (time) => {
    const call = retry({ backoff: constant(10), onRetry: () => Promise.reject(late) as never }).run(
      (s) => s.attempt === 1 && throws(new Error('down'))(),
    );
    await time.advance(0);
    expect(told).toEqual([late]);
    await time.runAll();
    await expect(call).resolves.toBe(false);
  });
});
