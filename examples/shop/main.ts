/**
 * A shop that places a file of orders while everything goes wrong that can: once with its charges in a retry loop written by
 * hand, once with its charges in a policy. Then it compares.
 *
 *     npm start -- --help
 *
 * place-order.ts is the file to read first, then charge.ts. This one only runs the days, one after the other, and tells of them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { runMain } from 'holdfast/node';
import { count } from './audit.ts';
import { svgChart } from './chart-svg.ts';
import { textChart } from './chart.ts';
import { auditText, comparison, trafficChart } from './closing.ts';
import { runDay, type DayReport } from './day.ts';
import { DEFAULT_ORDERS, HELP, parseOptions, UsageError, type Options } from './options.ts';
import { OrderFileError, readOrders, type Order } from './orders.ts';

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
  // Time to find out what became of the charges under way, in an outage too; and the loop made by hand knows no way to stop.
  return runMain({ grace: '15s' }, async (s) => {
    const days: DayReport[] = [];
    // Deferred, so that a day that was cut short is told of too.
    s.defer((exit) => {
      tell(days, options);
      // What the hand-written loop takes for nothing is what this program is there to show; the policy has no such excuse.
      const good = days.every(({ form, audit }) => (form === 'with' ? audit.balanced : audit.accounted));
      if (!good) exit.fail(new BooksDoNotBalance('the books do not balance'));
    });
    process.stdout.write(
      `${count(orders.length)} orders from ${relative('.', options.orders)}, ${options.rate} a second, seed ${options.seed}\n`,
    );
    for (const form of options.forms) await runDay(form, orders, options, (report) => void days.push(report), s);
  });
}

function tell(days: readonly DayReport[], options: Options): void {
  if (days.length === 0) return;
  const chart = trafficChart(days);
  const texts = [...days.map((day) => auditText(day)), comparison(days), ...(chart ? [textChart(chart)] : [])];
  process.stdout.write(`\n${texts.join('\n\n')}\n\n`);
  if (chart) {
    mkdirSync(dirname(options.chart), { recursive: true });
    writeFileSync(options.chart, svgChart(chart));
    process.stdout.write(`The same chart as SVG: ${relative('.', options.chart)}\n`);
  }
  process.stdout.write(`The same again: ${again(options)}\n`);
  if (options.report) {
    const report = days.map(({ form, audit, figures, traffic, outage, refusals, seconds }) => ({
      form,
      traffic,
      outage,
      seconds,
      figures,
      refusals,
      ...audit,
    }));
    writeFileSync(options.report, `${JSON.stringify({ options, days: report }, null, 1)}\n`);
  }
}

function again(options: Options): string {
  const words = ['npm start --', `--seed ${options.seed}`, `--rate ${options.rate}`, `--outage ${options.outage}`];
  if (options.keys) words.push('--keys');
  if (options.forms.length === 1) words.push(`--${options.forms[0]}`);
  if (options.orders !== DEFAULT_ORDERS) words.push(`--orders ${options.orders}`);
  if (options.count !== Infinity) words.push(`--count ${options.count}`);
  return words.join(' ');
}
