/**
 * One day in the shop, from the opening to the audit.
 *
 * What it needs is opened in the order in which it is needed, each as a resource of the day's scope, and released from last to
 * first: the progress line, the closing, the payment server, the database, the directory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onEvent, scope, type Scope } from 'holdfast';
import { arrivals, outageOf } from './arrivals.ts';
import { audit, count, type Audit } from './audit.ts';
import { Book } from './book.ts';
import { charge } from './charge.ts';
import { chargeByHand } from './charge-by-hand.ts';
import { bugText } from './closing.ts';
import { figuresOf, type Figures, type Refusals } from './figures.ts';
import { readLedgerFile, type LedgerEntry, type Traffic } from './ledger.ts';
import type { Form, Options } from './options.ts';
import { stockFor, type Order } from './orders.ts';
import { PaymentClient } from './payment-client.ts';
import { startPaymentServer, type Outage } from './payment-process.ts';
import { placeOrder, type Shop } from './place-order.ts';
import { showProgress } from './progress.ts';
import { ReceiptDrawer } from './receipts.ts';
import { Store } from './store.ts';

/** What is left of a day. */
export interface DayReport {
  readonly form: Form;
  readonly book: Book;
  readonly audit: Audit;
  readonly refusals: Refusals;
  readonly outage: Outage;
  readonly traffic: Traffic;
  readonly figures: Figures;
  readonly seconds: number;
}

/** `closed` is told when the day is over, also when it was cut short; then this rejects with the reason. */
export async function runDay(
  form: Form,
  orders: readonly Order[],
  options: Options,
  closed: (report: DayReport) => void,
  parent: Scope,
): Promise<void> {
  await scope({ name: `the day ${form} a policy`, signal: parent }, async (s) => {
    const directory = s.adopt(mkdtempSync(join(tmpdir(), `holdfast-shop-${form}-`)), (path) => {
      if (options.keep) process.stdout.write(`Kept: ${path}\n`);
      else rmSync(path, { recursive: true });
    });
    const ledgerFile = join(directory, 'ledger.ndjson');
    const outage = outageOf(orders.length, options.rate, options.outage);
    const store = s.use(new Store(join(directory, 'shop.db'), stockFor(orders)));
    const receipts = new ReceiptDrawer(join(directory, 'receipts'));
    const server = await startPaymentServer(s, { seed: options.seed, ledgerFile, outage });
    const payments = new PaymentClient(server.url);
    const refusals = countRefusals(s);
    process.stdout.write(`${form} a policy: payment server ${server.pid} at ${server.url}\n`);

    const book = new Book(orders);
    s.defer(async () => {
      const seconds = book.nowMs / 1_000;
      const traffic = await readTraffic(payments, s);
      const ledger = await readLedger(payments, ledgerFile, s);
      const { published, temporary } = receipts.contents();
      const result = audit({
        orders,
        endings: book.endings,
        ...store.contents(),
        ledger,
        receipts: published,
        released: { ...store.counts, 'temporary files': receipts.counts },
        leftovers: temporary,
      });
      const figures = figuresOf(book, result, traffic, outage);
      closed({ form, book, audit: result, refusals, outage, traffic, figures, seconds });
    });

    const progress = s.use(showProgress(() => progressLine(form, book, s), process.stdout, options));
    const shop: Shop = {
      seed: options.seed,
      store,
      payments,
      charge:
        form === 'with' ? charge : ({ key, ...wish }, p) => chargeByHand(options.keys ? { ...wish, key } : wish, p),
      receipts,
      ended(order, ending) {
        book.ended(order, ending);
        if (ending.kind === 'recovered') progress.log(bugText(order.id, ending.bug, ending.trace));
      },
    };

    for (const { order, atMs } of arrivals(orders, options.rate, options.seed)) {
      const earlyMs = atMs - book.nowMs;
      if (earlyMs > 0) await s.sleep(earlyMs);
      book.arrived(order);
      void s.go((o) => placeOrder(order, shop, o));
    }
  });
}

function countRefusals(s: Scope): Refusals {
  const refusals: Refusals = { breaker: 0, bulkhead: 0, budget: 0 };
  s.use(onEvent('breaker:refused', () => void refusals.breaker++));
  s.use(onEvent('bulkhead:refused', () => void refusals.bulkhead++));
  s.use(onEvent('budget:empty', () => void refusals.budget++));
  return refusals;
}

/** A server that is gone has left its file behind. */
function readLedger(payments: PaymentClient, ledgerFile: string, s: Scope): Promise<LedgerEntry[]> {
  const fromFile = (): LedgerEntry[] => {
    process.stdout.write('\nThe payment server does not answer: its ledger is read from the file that it has left.\n');
    return readLedgerFile(ledgerFile);
  };
  return scope({ name: 'ledger', signal: s, timeout: '4s', recover: fromFile }, (l) => payments.ledger(l));
}

function readTraffic(payments: PaymentClient, s: Scope): Promise<Traffic> {
  const none = { openedAt: 0, requestsMs: [] };
  return scope({ name: 'traffic', signal: s, timeout: '2s', recover: () => none }, (t) => payments.traffic(t));
}

/** Fits in 80 columns: a line that is cut on a narrow terminal loses its end, so what matters least comes last. */
function progressLine(form: Form, book: Book, s: Scope): string {
  const givenUp = book.count('refused', ({ why }) => why === 'no answer');
  const words = [
    `${count(book.count('placed'))} placed`,
    `${count(givenUp)} given up`,
    `${count(book.underWay)} under way`,
    `${Math.round(book.nowMs / 1_000)} s`,
  ];
  const last = s.signal.aborted ? '   stopping' : '';
  return `${form.padStart(7)} ${count(book.entries.size).padStart(6)} of ${count(book.orders.length)}   ${words.join(' · ')}${last}`;
}
