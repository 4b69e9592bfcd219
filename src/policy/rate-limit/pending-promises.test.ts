/** Promises of the queue itself: none stays that never settles. It would be collected, but a tool that looks for what hangs would show it. */
import { createHook } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { rateLimit } from '../../index.ts';

/** How many promises `work` makes that do not settle, those of this function included. */
async function pendingAfter(work: () => Promise<void>): Promise<number> {
  const pending = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === 'PROMISE' && pending.add(id)),
    promiseResolve: (id) => void pending.delete(id),
  });
  hook.enable();
  await work();
  hook.disable();
  return pending.size;
}

test.each([
  ['let in', { ok: true, value: 'let in' }],
  ['cancelled', { ok: false, cancelled: true }],
])('a waiter that is %s leaves no promise pending', async (how, expected) => {
  await virtualTime(async (time) => {
    const outcomes: unknown[] = [];
    const waits = async (): Promise<void> => {
      const gate = rateLimit({ limit: 1, maxWait: '1s' });
      const controller = new AbortController();
      await gate.run(() => {});
      const waiter = gate.settle(() => how, { signal: controller.signal });
      if (how === 'cancelled') controller.abort();
      else await time.runAll();
      outcomes.push(await waiter);
    };
    const after = (times: number): Promise<number> =>
      pendingAfter(async () => {
        for (let i = 0; i < times; i++) await waits();
      });
    await after(1); // the test runner's own are counted here
    expect(await after(10)).toBe(await after(1));
    for (const outcome of outcomes) expect(outcome).toMatchObject(expected);
  });
});
