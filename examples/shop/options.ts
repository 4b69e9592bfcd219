/** The command line: what may be asked for, and clear words for what may not. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CAPACITY } from './payments-workers.ts';

/** `without` a policy, or `with` one. */
export type Form = 'without' | 'with';

export interface Options {
  readonly orders: string;
  /** Only so many of the file, from its beginning. */
  readonly count: number;
  /** Which days are run: with the policy, with the loop made by hand. */
  readonly forms: readonly Form[];
  /** The loop sends idempotency keys too. */
  readonly keys: boolean;
  /** Orders a second, on average. */
  readonly rate: number;
  /** Of the payment server, in seconds; 0 for none. */
  readonly outage: number;
  readonly seed: number;
  /** Where the chart goes. */
  readonly chart: string;
  readonly keep: boolean;
  readonly quiet: boolean;
  readonly report: string | undefined;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const inProject = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const DEFAULT_ORDERS = inProject('examples/shop/orders.csv');
const DEFAULT_CHART = inProject('.cache/shop.svg');

export const HELP = `A shop that places a file of orders: reserve, charge, confirm, with everything going wrong that can.
It does so twice, with charges by a hand-written retry loop and with charges in a policy, and compares.

usage: npm start -- [options]        (with Node 22.18 or later: node examples/shop/main.ts [options])

  --without         only the day without a policy
  --with            only the day with a policy
  --keys            the hand-written loop sends idempotency keys too
  --orders FILE     the order file                                       [examples/shop/orders.csv]
  --count N         only the first N orders of it                        [all]
  --rate N          orders a second, on average                          [120]
  --outage N        how many seconds the payment server is out; 0: not   [3]
  --seed N          decides what goes wrong at the payment server        [7]
  --chart FILE      where the SVG file with the chart goes               [.cache/shop.svg]
  --keep            keep the temporary directory: database, receipts, ledger
  --quiet           no progress, only the audits, the table and the chart
  --report FILE     write the figures, and every order's ending, row and charges, as JSON
  --help            this text

Ctrl-C at any moment ends it cleanly. Exit code: 0 every cent is accounted for, and with the policy the books balance;
1 they do not; 2 wrong usage; 130 and 143 stopped.
`;

/** @throws UsageError with the option, what was given and what was expected */
export function parseOptions(args: readonly string[]): Options | 'help' {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        orders: { type: 'string', default: DEFAULT_ORDERS },
        count: { type: 'string' },
        without: { type: 'boolean', default: false },
        with: { type: 'boolean', default: false },
        keys: { type: 'boolean', default: false },
        rate: { type: 'string', default: '120' },
        outage: { type: 'string', default: '3' },
        seed: { type: 'string', default: '7' },
        chart: { type: 'string', default: DEFAULT_CHART },
        keep: { type: 'boolean', default: false },
        quiet: { type: 'boolean', default: false },
        report: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.help) return 'help';
  const { orders, keys, keep, quiet, report, chart } = values;
  if (report) mustHaveDirectory('--report', report);
  if (chart !== DEFAULT_CHART) mustHaveDirectory('--chart', chart);
  return {
    orders,
    keys,
    keep,
    quiet,
    report,
    chart,
    forms: values.with === values.without ? ['without', 'with'] : values.with ? ['with'] : ['without'],
    count: values.count === undefined ? Infinity : wholeNumber('--count', values.count, 1, 1_000_000),
    // More than the payment server can do would be an outage all day.
    rate: wholeNumber('--rate', values.rate, 1, CAPACITY),
    outage: wholeNumber('--outage', values.outage, 0, 60),
    seed: wholeNumber('--seed', values.seed, 0, 4_294_967_295),
  };
}

function mustHaveDirectory(option: string, file: string): void {
  if (!existsSync(dirname(resolve(file))))
    throw new UsageError(`${option}: found no directory ${dirname(resolve(file))}, expected a file in one that exists`);
}

function wholeNumber(option: string, given: string, least: number, most: number): number {
  const number = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option}: found ${JSON.stringify(given)}, expected a whole number from ${least} to ${most}`);
}
