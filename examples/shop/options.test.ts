import { describe, expect, it } from 'vitest';
import { DEFAULT_ORDERS, parseOptions, UsageError } from './options.ts';

describe('the command line', () => {
  it('has a default for everything', () => {
    expect(parseOptions([])).toMatchObject({
      orders: DEFAULT_ORDERS,
      forms: ['without', 'with'],
      count: Infinity,
      rate: 120,
      outage: 3,
      seed: 7,
      keep: false,
      quiet: false,
    });
  });

  it.for([
    [['--with'], ['with']],
    [['--without'], ['without']],
    [
      ['--with', '--without'],
      ['without', 'with'],
    ],
  ])('%j runs the days %j', ([args, forms]) => {
    expect(parseOptions(args!)).toMatchObject({ forms });
  });

  it('is help before it is anything else', () => {
    expect(parseOptions(['--help'])).toBe('help');
  });

  it.for([
    [['--count', '0'], '--count: found "0", expected a whole number from 1 to 1000000'],
    [['--count', '1e3'], '--count: found "1e3", expected'],
    [['--rate', '251'], '--rate: found "251", expected a whole number from 1 to 250'],
    [['--outage', '0.5'], '--outage: found "0.5", expected a whole number from 0 to 60'],
    [['--seed', '1.5'], '--seed: found "1.5", expected a whole number from 0 to 4294967295'],
    [['--sed', '7'], `Unknown option '--sed'`],
    [['--seed'], `argument missing`],
    [['orders.csv'], `Unexpected argument 'orders.csv'`],
    [['--report', 'no-such-directory/report.json'], '--report: found no directory'],
    [['--chart', 'no-such-directory/chart.svg'], '--chart: found no directory'],
  ] as const)('%j is refused in words', ([args, words]) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(words);
  });
});
