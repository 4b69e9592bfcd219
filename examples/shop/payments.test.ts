/** The payment server keeps the promises that the shop relies on; everything else it breaks, as the seed says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scope, TimeoutError, type Duration, type Scope } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { findOut } from './charge.ts';
import { readLedgerFile } from './ledger.ts';
import { PaymentClient, type Answer } from './payment-client.ts';
import { startPaymentServer } from './payment-process.ts';
import { cardIsDeclined, faultOfCharge, questionIsCut, type Fault } from './payments-faults.ts';

const SEED = 7;

/** An order that meets these faults, one for each time it is sent, and clear weather for questions. It is its own key, too. */
function orderThatMeets(...faults: Fault[]): string {
  for (let n = 0; n < 100_000; n++) {
    const order = `order-${n}`;
    if (cardIsDeclined(SEED, order) || questionIsCut(SEED, order, 1) || questionIsCut(SEED, order, 2)) continue;
    if (faults.every((fault, index) => faultOfCharge(SEED, order, index + 1) === fault)) return order;
  }
  throw new Error(`no order of seed ${SEED} meets ${faults.join(', ')}`);
}

function withServer<T>(work: (payments: PaymentClient, s: Scope, ledgerFile: string) => Promise<T>): Promise<T> {
  return scope(async (s) => {
    const directory = s.adopt(mkdtempSync(join(tmpdir(), 'holdfast-payments-test-')), (path) =>
      rmSync(path, { recursive: true }),
    );
    const ledgerFile = join(directory, 'ledger.ndjson');
    const { url } = await startPaymentServer(s, {
      seed: SEED,
      ledgerFile,
      outage: { fromMs: Infinity, toMs: Infinity },
    });
    const payments = new PaymentClient(url);
    await payments.traffic(s); // the first request of a process is a slow one, and below there are deadlines
    return work(payments, s, ledgerFile);
  });
}

/** One attempt. A request that hangs is given up; one that is answered, somehow, has all the time it needs. */
function send(
  payments: PaymentClient,
  order: string,
  s: Scope,
  patience: Duration = '10s',
): Promise<Answer | 'gave up' | 'no answer'> {
  const recover = (error: unknown) => (error instanceof TimeoutError ? 'gave up' : 'no answer');
  return scope({ signal: s, timeout: patience, recover }, (a) => payments.charge({ order, cents: 500, key: order }, a));
}

describe('the payment server', () => {
  it('charges a key once, however often it is sent and whatever went wrong', async () => {
    const key = orderThatMeets('cut-after', 'half', 'none');
    await withServer(async (payments, s, ledgerFile) => {
      expect(await send(payments, key, s)).toBe('no answer');
      expect(await send(payments, key, s)).toBe('no answer');
      const answer = await send(payments, key, s);

      expect(answer).toMatchObject({ is: 'charged', charge: { cents: 500 } });
      const [entry] = await payments.ledger(s);
      expect(entry).toMatchObject({ key, sends: 3, charges: [{ cents: 500 }] });
      expect(readLedgerFile(ledgerFile)[0]?.charges).toEqual(entry?.charges);
    });
  });

  it('charges every time, without a key', async () => {
    const order = orderThatMeets('cut-after', 'none');
    await withServer(async (payments, s) => {
      await expect(payments.charge({ order, cents: 500 }, s)).rejects.toThrow('fetch failed');
      await payments.charge({ order, cents: 500 }, s);

      const ledger = await payments.ledger(s);
      expect(ledger.map((entry) => [entry.order, entry.charges.length])).toEqual([
        [order, 1],
        [order, 1],
      ]);
    });
  });

  it.for<[Fault, boolean]>([
    ['unavailable', false],
    ['hang-before', false],
    ['hang-after', true],
    ['cut-before', false],
    ['cut-after', true],
    ['half', true],
    ['garbage', true],
  ])('%s: the sender cannot know, and who asks is told (charged: %s)', async ([fault, charged]) => {
    const key = orderThatMeets(fault);
    await withServer(async (payments, s) => {
      const hangs = fault.startsWith('hang');
      const answer = await send(payments, key, s, hangs ? '200ms' : '10s');
      expect(answer).toBe(hangs ? 'gave up' : 'no answer');
      expect((await findOut(key, payments, s)).is).toBe(charged ? 'charged' : 'closed');
    });
  });

  it('never charges a key that was closed, not even with a request that was under way', async () => {
    const key = orderThatMeets('late', 'none');
    await withServer(async (payments, s) => {
      expect(await send(payments, key, s, '200ms')).toBe('gave up');
      expect(await payments.close(key, s)).toEqual({ is: 'closed' });
      expect(await send(payments, key, s)).toEqual({ is: 'closed' });
      // Reading the ledger lets every request that is stuck go first.
      expect(await payments.ledger(s)).toMatchObject([{ key, charges: [], closed: true }]);
    });
  });

  it('charges late what was not closed: why "not charged" alone is no answer', async () => {
    const key = orderThatMeets('late');
    await withServer(async (payments, s) => {
      expect(await send(payments, key, s, '200ms')).toBe('gave up');
      expect(await payments.look(key, s)).toEqual({ charge: null, closed: false });
      expect(await payments.ledger(s)).toMatchObject([{ key, charges: [{ cents: 500 }] }]);
    });
  });

  it('fails by seed, order and how often it was sent, and by nothing else', () => {
    const weather = (seed: number): Fault[] =>
      Array.from({ length: 400 }, (_, n) => faultOfCharge(seed, `order-${n}`, 1 + (n % 4)));
    expect(weather(7)).toEqual(weather(7));
    expect(weather(8)).not.toEqual(weather(7));
    expect(new Set(weather(7)).size).toBeGreaterThan(6);
  });
});
