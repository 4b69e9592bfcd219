import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ORDERS, parseOptions, UsageError } from './options.ts';

describe('the command line', () => {
  it('has a default for everything', () => {
    expect(parseOptions([])).toMatchObject({
      orders: DEFAULT_ORDERS,
      count: Infinity,
      concurrency: 16,
      seed: 7,
      keep: false,
      quiet: false,
    });
  });

  it('is help before it is anything else', () => {
    expect(parseOptions(['--help'])).toBe('help');
  });

  it.for([
    [['--count', '0'], '--count: found "0", expected a whole number from 1 to 1000000'],
    [['--count', '1e3'], '--count: found "1e3", expected'],
    [['--concurrency', '257'], '--concurrency: found "257", expected a whole number from 1 to 256'],
    [['--seed', '1.5'], '--seed: found "1.5", expected a whole number from 0 to 4294967295'],
    [['--sed', '7'], `Unknown option '--sed'`],
    [['--seed'], `argument missing`],
    [['orders.csv'], `Unexpected argument 'orders.csv'`],
    [['--report', 'no-such-directory/report.json'], '--report: found no directory'],
    [['--db', 'no-such-directory/shop.db'], '--db: found no directory'],
    [['--db', fileURLToPath(import.meta.url)], 'with something in it, expected a new or an empty file'],
  ] as const)('%j is refused in words', ([args, words]) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(words);
  });
});
