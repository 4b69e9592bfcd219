/** The loop is what it says it is: these are its faults, which the comparison measures. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { chargeByHand } from './charge-by-hand.ts';
import type { Answer, PaymentClient, Wish } from './payment-client.ts';

type Charge = PaymentClient['charge'];

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const wish: Wish = { order: 'a', cents: 100 };
const charged: Answer = { is: 'charged', charge: { id: 'ch_a', cents: 100 } };

describe('the loop made by hand', () => {
  it('returns the first answer', async () => {
    const charge = vi.fn<Charge>(() => Promise.resolve(charged));
    expect(await chargeByHand(wish, { charge })).toBe(charged);
    expect(charge).toHaveBeenCalledTimes(1);
  });

  it('leaves a request that took too long alone, and sends another one beside it', async () => {
    const charge = vi.fn<Charge>(() => Promise.resolve(charged)).mockReturnValueOnce(new Promise(() => {}));
    const call = chargeByHand(wish, { charge });
    await vi.advanceTimersByTimeAsync(999);
    expect(charge).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(101);
    expect(await call).toBe(charged);
    expect(charge.mock.calls).toEqual([[wish], [wish]]); // no signal: nothing could tell the first one
  });

  it('takes four failures for proof that nothing has happened', async () => {
    const charge = vi.fn<Charge>(() => Promise.reject(new Error('the connection broke, after the money was taken')));
    const call = chargeByHand(wish, { charge });
    await vi.runAllTimersAsync();
    expect(await call).toEqual({ is: 'untouched' });
    expect(charge).toHaveBeenCalledTimes(4);
  });
});
