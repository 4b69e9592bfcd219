/** How many bodies are abandoned (P5.4): each operation once, whatever stages its layers are in. */
import { expect, test } from 'vitest';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { recordEvents, virtualTime } from '../../testing/index.ts';
import { constant, policy, retry, timeout, type Policy } from '../../index.ts';

const counted = watchAbandonedBodies();

const atOnce = { grace: 0 };

test.each<[string, Policy, abortsAt: number]>([
  ['timeouts of two stages at one moment', policy(retry(), timeout(10, atOnce), timeout(20, atOnce)), Infinity],
  [
    'one timeout after the other',
    policy(timeout(20, atOnce), timeout(20, { grace: 5 }), timeout(10, atOnce)),
    Infinity,
  ],
  [
    'a timeout, and then the caller in the back-off of that stage',
    policy(
      timeout(500, atOnce),
      timeout(500, atOnce),
      retry({ backoff: constant(50), idempotent: true }),
      timeout(10, atOnce),
    ),
    30,
  ],
])('an operation is abandoned once that is let go by %s', async (_, made, abortsAt) => {
  await virtualTime(async (time) => {
    using events = recordEvents();
    const told = (name: string): number => events.filter(({ event }) => event === name).length;
    const controller = new AbortController();
    let end!: () => void;
    const call = made.settle(() => new Promise<void>((resolve) => (end = resolve)), { signal: controller.signal });
    await time.advance(Math.min(abortsAt, 100));
    controller.abort();
    expect(await call).toMatchObject({ ok: false });
    expect(counted()).toBe(1);
    expect(told('timeout:abandoned')).toBe(1);
    end();
    await time.advance(0);
    expect(counted()).toBe(0);
    expect(told('timeout:late')).toBe(1);
  });
});
