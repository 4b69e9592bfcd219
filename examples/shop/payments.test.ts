/** The payment server keeps the promises that the shop relies on; everything else it breaks, as the seed says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scope, type Duration, type Scope } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { findOut } from './charge.ts';
import { readLedgerFile } from './ledger.ts';
import { PaymentClient, type Money } from './payment-client.ts';
import { startPaymentServer } from './payment-process.ts';
import { cardIsDeclined, faultOfCharge, questionIsCut, type Fault } from './payments-faults.ts';

const SEED = 7;

/** A key that meets these faults, one for each time it is sent, and clear weather for questions. */
function keyThatMeets(...faults: Fault[]): string {
  for (let n = 0; n < 100_000; n++) {
    const key = `key-${n}`;
    if (cardIsDeclined(SEED, key) || questionIsCut(SEED, key, 1) || questionIsCut(SEED, key, 2)) continue;
    if (faults.every((fault, index) => faultOfCharge(SEED, key, index + 1) === fault)) return key;
  }
  throw new Error(`no key of seed ${SEED} meets ${faults.join(', ')}`);
}

function withServer<T>(work: (payments: PaymentClient, s: Scope, ledgerFile: string) => Promise<T>): Promise<T> {
  return scope(async (s) => {
    const directory = s.adopt(mkdtempSync(join(tmpdir(), 'holdfast-payments-test-')), (path) =>
      rmSync(path, { recursive: true }),
    );
    const ledgerFile = join(directory, 'ledger.ndjson');
    const { url } = await startPaymentServer(s, { seed: SEED, ledgerFile });
    const payments = new PaymentClient(url);
    await payments.ledger(s); // the first request of a process is a slow one, and below there are deadlines
    return work(payments, s, ledgerFile);
  });
}

/** One attempt. A request that hangs is given up; one that is answered, somehow, has all the time it needs. */
function send(payments: PaymentClient, key: string, s: Scope, patience: Duration = '10s'): Promise<Money | 'gave up'> {
  return scope({ signal: s, timeout: patience, recover: () => 'gave up' as const }, (a) =>
    payments.charge(key, 'order', 500, a),
  );
}

describe('the payment server', () => {
  it('charges a key once, however often it is sent and whatever went wrong', async () => {
    const key = keyThatMeets('cut-after', 'half', 'none');
    await withServer(async (payments, s, ledgerFile) => {
      expect(await send(payments, key, s)).toMatchObject({ is: 'unknown' });
      expect(await send(payments, key, s)).toMatchObject({ is: 'unknown' });
      const answer = await send(payments, key, s);

      expect(answer).toMatchObject({ is: 'charged', charge: { cents: 500 } });
      const [entry] = await payments.ledger(s);
      expect(entry).toMatchObject({ key, sends: 3, charges: [{ cents: 500 }] });
      expect(readLedgerFile(ledgerFile)[0]?.charges).toEqual(entry?.charges);
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
    const key = keyThatMeets(fault);
    await withServer(async (payments, s) => {
      const hangs = fault.startsWith('hang');
      const answer = await send(payments, key, s, hangs ? '200ms' : '10s');
      expect(answer).toEqual(hangs ? 'gave up' : { is: 'unknown', because: expect.any(String) as string });
      expect((await findOut(key, payments, s)).is).toBe(charged ? 'charged' : 'closed');
    });
  });

  it('never charges a key that was closed, not even with a request that was under way', async () => {
    const key = keyThatMeets('late', 'none');
    await withServer(async (payments, s) => {
      expect(await send(payments, key, s, '200ms')).toBe('gave up');
      expect(await payments.close(key, s)).toEqual({ is: 'closed' });
      expect(await send(payments, key, s)).toEqual({ is: 'closed' });
      // Reading the ledger lets every request that is stuck go first.
      expect(await payments.ledger(s)).toMatchObject([{ key, charges: [], closed: true }]);
    });
  });

  it('charges late what was not closed: why "not charged" alone is no answer', async () => {
    const key = keyThatMeets('late');
    await withServer(async (payments, s) => {
      expect(await send(payments, key, s, '200ms')).toBe('gave up');
      expect(await payments.look(key, s)).toEqual({ charge: null, closed: false });
      expect(await payments.ledger(s)).toMatchObject([{ key, charges: [{ cents: 500 }] }]);
    });
  });

  it('fails by seed, key and how often the key was sent, and by nothing else', () => {
    const weather = (seed: number): Fault[] =>
      Array.from({ length: 400 }, (_, n) => faultOfCharge(seed, `order-${n}`, 1 + (n % 4)));
    expect(weather(7)).toEqual(weather(7));
    expect(weather(8)).not.toEqual(weather(7));
    expect(new Set(weather(7)).size).toBeGreaterThan(6);
  });
});
