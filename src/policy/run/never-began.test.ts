import { expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { bulkhead } from '../bulkhead/bulkhead.ts';
import { constant } from '../retry/backoff.ts';
import { retry } from '../retry/retry.ts';
import { timeout } from '../timeout/timeout.ts';
import { breaker } from '../breaker/breaker.ts';
import { abandoned } from './abandoned.ts';
import { policy } from './policy.ts';

test('P3.4 an attempt whose time passed in a queue has not happened: it is retried, also when it may not run twice', () =>
  virtualTime(async (time) => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const call = policy(retry({ backoff: constant(10), budget: false }), timeout(50), slots);
    const first = slots.run((s) => s.sleep(70));
    let runs = 0;
    const outcome = call.settle(() => ++runs, { idempotent: false });
    await time.advance(60);
    expect(runs).toBe(0);
    await time.runAll();
    await first;
    await expect(outcome).resolves.toMatchObject({
      ok: true,
      value: 1,
      attempts: [{ refused: true, verdict: 'ambiguous' }],
    });
    expect(runs).toBe(1);
  }));

test('P5.4 a call that ends while a later attempt waits has abandoned nothing, whatever stages its layers are in', () =>
  virtualTime(async (time) => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const again = retry({ backoff: constant(10), budget: false });
    const call = policy(timeout(50, { grace: 0 }), breaker(), again, slots);
    const before = abandoned();
    const outcome = call.settle(() => {
      void slots.run((s) => s.sleep(500)); // takes the place for which the second attempt has to wait
      throw new Error('down');
    });
    await time.advance(60);
    expect(abandoned()).toBe(before);
    await expect(outcome).resolves.toMatchObject({ ok: false, error: { timeoutMs: 50, abandoned: false } });
    await time.runAll();
  }));
