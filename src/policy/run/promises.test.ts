/** How many promises a call makes. They are most of what a call costs that nothing happens to. */
import { createHook } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { breaker, bulkhead, policy, retry, timeout, type Policy, type Scope } from '../../index.ts';

/** How many promises are made until what `start` gives has settled, those of this function included. */
async function promisesOf(start: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const hook = createHook({ init: (_, type) => void (type === 'PROMISE' && count++) });
  hook.enable();
  await start();
  hook.disable();
  return count;
}

const plain = (): number => 1;
const slots = bulkhead({ limit: 1 });

/** How many more than by hand: one that the operation's result becomes, and one that reacts to it. */
async function more(made: Policy, op: (s: Scope) => unknown): Promise<number> {
  const byHand = (): Promise<unknown> => Promise.resolve(plain()).then((value) => value);
  await promisesOf(byHand); // the test runner's own are counted here
  const expected = await promisesOf(byHand);
  return (await promisesOf(() => made.run(op))) - expected;
}

test.each<[string, Policy, (s: Scope) => unknown]>([
  ['no layers', policy(), plain],
  ['the usual layers', policy(retry(), breaker(), slots), plain],
  ['an operation that reads its signal', retry(), (s) => s.signal.aborted],
  ['an operation that defers', retry(), (s) => s.defer(() => {})],
])('%s: no more than by hand', async (_, made, op) => {
  expect(await more(made, op)).toBe(0);
});

test.each<[string, Policy, number]>([
  ['a stage around another one makes one more', policy(breaker(), retry()), 1],
  ['a timeout makes one more: the caller may be let go', policy(timeout('1s'), retry()), 1],
  ['a timeout inside the retry, too', policy(retry(), timeout('1s')), 1],
  ['a timeout and a stage inside it make three more, for the same reason', policy(retry(), timeout('1s'), slots), 3],
  ['a stage outside a timeout makes one, as without it', policy(slots, retry(), timeout('1s')), 2],
])('%s', async (_, made, count) => {
  expect(await more(made, plain)).toBe(count);
});
