/**
 * A shop that places a file of orders while everything goes wrong that can.
 *
 *     npm start -- --help
 *
 * This file only wires things together, each as a resource of the root scope, in the order in which they need each other. They
 * are released from last to first: the progress line, the closing of the day, the payment server, the database, the directory.
 * place-order.ts is the file to read.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { scope, type Scope } from 'holdfast';
import { runMain } from 'holdfast/node';
import { audit, count } from './audit.ts';
import { auditText, bugText, table } from './closing.ts';
import { Day } from './day.ts';
import { readLedgerFile, type LedgerEntry } from './ledger.ts';
import { DEFAULT_ORDERS, HELP, parseOptions, UsageError, type Options } from './options.ts';
import { OrderFileError, readOrders, stockFor, type Order } from './orders.ts';
import { PaymentClient } from './payment-client.ts';
import { startPaymentServer } from './payment-process.ts';
import { placeOrder, type Shop } from './place-order.ts';
import { showProgress } from './progress.ts';
import { ReceiptDrawer } from './receipts.ts';
import { Store } from './store.ts';

class BooksDoNotBalance extends Error {
  override readonly name = 'BooksDoNotBalance';
}

// A reader that has left (`| head`) is no reason to drop what is under way.
process.stdout.on('error', () => {});

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(HELP);
  else await openShop(options, readOrders(options.orders).slice(0, options.count));
} catch (error) {
  // Only what is wrong before anything was started comes here; a running shop ends in `runMain`.
  if (!(error instanceof UsageError || error instanceof OrderFileError)) throw error;
  const details = error instanceof OrderFileError ? error.problems.slice(0, 20).map((problem) => `  ${problem}\n`) : [];
  process.stderr.write(`${error.message}\n${details.join('')}Nothing was started. See --help.\n`);
  process.exitCode = 2;
}

function openShop(options: Options, orders: readonly Order[]): Promise<void> {
  return runMain({ grace: '10s' }, async (s) => {
    const directory = s.adopt(mkdtempSync(join(tmpdir(), 'holdfast-shop-')), (path) => {
      if (options.keep) process.stdout.write(`Kept: ${path}\n`);
      else rmSync(path, { recursive: true });
    });
    const ledgerFile = join(directory, 'ledger.ndjson');
    const store = s.use(new Store(options.db ?? join(directory, 'shop.db'), stockFor(orders)));
    const receipts = new ReceiptDrawer(join(directory, 'receipts'));
    const server = await startPaymentServer(s, { seed: options.seed, ledgerFile });
    const payments = new PaymentClient(server.url);
    const day = new Day(orders);

    process.stdout.write(
      `${count(orders.length)} orders from ${relative('.', options.orders)}, ${options.concurrency} side by side, seed ${options.seed}\n` +
        `payment server: process ${server.pid} at ${server.url}; it fails, hangs and breaks connections as the seed says\n`,
    );
    if (!options.quiet) process.stdout.write('\n');

    const started = performance.now();
    s.defer(async (exit) => {
      const seconds = (performance.now() - started) / 1_000;
      const released = { ...store.counts, 'temporary files': receipts.counts };
      const { published, temporary } = receipts.contents();
      const result = audit({
        orders,
        endings: day.endings,
        ...store.contents(),
        ledger: await readLedger(payments, ledgerFile, s),
        receipts: published,
        released,
        leftovers: temporary,
      });
      process.stdout.write(
        `\n${table(day, released)}\n\n${auditText(result)} ${seconds.toFixed(1)} s.\n${againText(options)}: ${again(options)}\n`,
      );
      if (options.report) writeFileSync(options.report, `${JSON.stringify({ options, ...result }, null, 1)}\n`);
      if (!result.balanced) exit.fail(new BooksDoNotBalance('the books do not balance'));
    });

    const progress = s.use(showProgress(() => progressLine(day, store, started, s), process.stdout, options));
    const shop: Shop = {
      seed: options.seed,
      store,
      payments,
      receipts,
      ended(order, ending) {
        day.ended(order, ending);
        if (ending.kind === 'recovered') progress.log(bugText(order.id, ending.bug, ending.trace));
      },
    };

    await s.map(orders, { concurrency: options.concurrency }, (order, o) => placeOrder(order, shop, o));
  });
}

/** A server that is gone has left its file behind. */
function readLedger(payments: PaymentClient, ledgerFile: string, s: Scope): Promise<LedgerEntry[]> {
  const fromFile = (): LedgerEntry[] => {
    process.stdout.write('\nThe payment server does not answer: its ledger is read from the file that it has left.\n');
    return readLedgerFile(ledgerFile);
  };
  return scope({ name: 'ledger', signal: s, timeout: '2s', recover: fromFile }, (l) => payments.ledger(l));
}

/** Fits in 80 columns: a line that is cut on a narrow terminal loses its end, so what matters least comes last. */
function progressLine(day: Day, store: Store, started: number, s: Scope): string {
  const done = day.endings.size;
  const { opened, released } = store.counts.connections;
  const words = [
    `${count(day.count('placed'))} placed`,
    `${day.count('refused')} refused`,
    `${day.count('recovered')} recovered`,
    `${day.count('held')} held`,
  ];
  const rate = Math.round(done / ((performance.now() - started) / 1_000));
  const last = s.signal.aborted ? `stopping: ${opened - released} left` : `${rate}/s`;
  return `${count(done).padStart(6)} of ${count(day.orders.length)}   ${words.join(' · ')}   ${last}`;
}

function again(options: Options): string {
  const words = ['npm start --', `--seed ${options.seed}`, `--concurrency ${options.concurrency}`];
  if (options.orders !== DEFAULT_ORDERS) words.push(`--orders ${options.orders}`);
  if (options.count !== Infinity) words.push(`--count ${options.count}`);
  return words.join(' ');
}

/** Side by side the order of arrival is the machine's, and with it a few endings: which order gets the last of the stock, say. */
function againText({ concurrency }: { readonly concurrency: number }): string {
  return concurrency === 1
    ? 'The same day again'
    : 'The same faults again (with --concurrency 1 also the same endings)';
}
