/** P1.1: any order is right. All ordered pairs and triples of layers, under every fault, against the reference of the rules. */
import { expect, test } from 'vitest';
import { check } from './check.ts';
import { orders } from './orders.ts';
import { both } from './trace.ts';

test.each([
  ['one layer', 1, 6],
  ['two layers', 2, 36],
  ['three layers', 3, 216],
])('%s, in every order, do what the rules say under every fault', { timeout: 300_000 }, async (_, length, kinds) => {
  let compared = 0;
  for (const { title, script } of orders(length)) {
    const verdict = await check(script);
    if ('differs' in verdict) {
      const { what, expected, actual } = verdict.differs;
      expect.fail(`${title}: ${what}\n${both(expected, actual, ['rules  ', 'policy '])}`);
    }
    if ('same' in verdict) compared++;
  }
  // With and without failWhen, under each fault; and none of them says nothing.
  expect(compared).toBe(kinds * 2 * 14);
});
