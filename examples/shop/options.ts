/** The command line: what may be asked for, and clear words for what may not. */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export interface Options {
  readonly orders: string;
  /** Only so many of the file, from its beginning. */
  readonly count: number;
  readonly concurrency: number;
  readonly seed: number;
  /** Where the database is kept; without it, it lives and goes with the temporary directory. */
  readonly db: string | undefined;
  readonly keep: boolean;
  readonly quiet: boolean;
  readonly report: string | undefined;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const DEFAULT_ORDERS = fileURLToPath(new URL('./orders.csv', import.meta.url));

export const HELP = `A shop that places a file of orders: reserve, charge, confirm, with everything going wrong that can.

usage: npm start -- [options]        (with Node 22.18 or later: node examples/shop/main.ts [options])

  --orders FILE     the order file                                       [examples/shop/orders.csv]
  --count N         only the first N orders of it                        [all]
  --concurrency N   how many orders run side by side                     [16]
  --seed N          decides what goes wrong at the payment server        [7]
  --db FILE         keep the database here; a new or an empty file       [in the temporary directory]
  --keep            keep the temporary directory: database, receipts, ledger
  --quiet           no progress, only the table and the audit
  --report FILE     write every order's ending, row and charge as JSON
  --help            this text

Ctrl-C at any moment ends it cleanly. Exit code: 0 the books balance, 1 they do not, 2 wrong usage, 130 and 143 stopped.
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
        concurrency: { type: 'string', default: '16' },
        seed: { type: 'string', default: '7' },
        db: { type: 'string' },
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
  if (values.db) mustBeNew('--db', values.db);
  if (values.report) mustHaveDirectory('--report', values.report);
  return {
    ...values,
    db: values.db,
    report: values.report,
    count: values.count === undefined ? Infinity : wholeNumber('--count', values.count, 1, 1_000_000),
    // Each order at work has a connection, a file and a socket open, so the limit of open files is not far above this one.
    concurrency: wholeNumber('--concurrency', values.concurrency, 1, 256),
    seed: wholeNumber('--seed', values.seed, 0, 4_294_967_295),
  };
}

/** An audit needs a day from its beginning, so a database that has seen another day is no place for this one. */
function mustBeNew(option: string, file: string): void {
  mustHaveDirectory(option, file);
  if (existsSync(file) && statSync(file).size > 0)
    throw new UsageError(`${option}: found ${file} with something in it, expected a new or an empty file`);
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
