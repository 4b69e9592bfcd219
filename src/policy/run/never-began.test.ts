import { expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { bulkhead } from '../bulkhead/bulkhead.ts';
import { constant } from '../retry/backoff.ts';
import { retry } from '../retry/retry.ts';
import { timeout } from '../timeout/timeout.ts';
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
