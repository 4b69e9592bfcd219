/** What is printed when the days are over: their audits, and the table that compares them. */
import { styleText } from 'node:util';
import { count, euro } from './audit.ts';
import { perSecond, type Chart } from './chart.ts';
import type { DayReport } from './day.ts';
import type { Outage } from './payment-process.ts';
import { CAPACITY } from './payments-workers.ts';

type Row = readonly [label: string, cell: (day: DayReport) => string];

const whole =
  (value: (day: DayReport) => number): Row[1] =>
  (day) =>
    count(value(day));
const refused =
  (reason: 'out of stock' | 'card declined' | 'no answer'): Row[1] =>
  ({ book }) =>
    count(book.count('refused', ({ why }) => why === reason));

const ROWS: readonly (Row | string)[] = [
  'ORDERS',
  ['placed', whole(({ book }) => book.count('placed'))],
  ['  of them after asking what became of it', whole(({ book }) => book.count('placed', (e) => e.afterAsking))],
  ['given up, no answer', refused('no answer')],
  ['card declined', refused('card declined')],
  ['out of stock', refused('out of stock')],
  ['found a bug, recovered', whole(({ book }) => book.count('recovered'))],
  ['held: nobody could say', whole(({ book }) => book.count('held'))],
  ['cancelled', whole(({ book }) => book.count('stopped'))],
  ['not begun', whole(({ book }) => book.orders.length - book.entries.size)],
  'MONEY',
  ['orders charged twice or more', whole(({ audit }) => audit.damage.twice.orders)],
  ['  taken again', ({ audit }) => euro(audit.damage.twice.cents)],
  ['orders given up, and charged', whole(({ audit }) => audit.damage.forNothing.orders)],
  ['  taken for nothing', ({ audit }) => euro(audit.damage.forNothing.cents)],
  'THE PAYMENT SERVER',
  ['requests', whole(({ figures }) => figures.requests)],
  ['  during the outage', whole(({ figures }) => figures.requestsInOutage)],
  ['attempts per order, mean', ({ figures }) => figures.attempts.mean.toFixed(2)],
  ['  most', whole(({ figures }) => figures.attempts.most)],
  ['attempts refused by the breaker', whole(({ refusals }) => refusals.breaker)],
  ['  by the bulkhead', whole(({ refusals }) => refusals.bulkhead)],
  ['retries refused by the budget', whole(({ refusals }) => refusals.budget)],
  'TIME',
  ['recovered after the outage in', ({ figures, outage }) => recovery(figures.recoveredMs, outage)],
  ['a placed order, median', ({ figures }) => milliseconds(figures.p50Ms)],
  ['  99th percentile', ({ figures }) => milliseconds(figures.p99Ms)],
  ['the day', ({ seconds }) => `${seconds.toFixed(1)} s`],
];

/** Side by side; with one day, one column. */
export function comparison(days: readonly DayReport[]): string {
  const line = (label: string, cells: readonly string[]): string =>
    `  ${label.padEnd(40)}${cells.map((cell) => cell.padStart(18)).join('')}`;
  const head = line(
    '',
    days.map(({ form }) => `${form} a policy`),
  );
  return [
    heading(head),
    ...ROWS.map((row) =>
      typeof row === 'string'
        ? heading(row)
        : line(
            row[0],
            days.map((day) => row[1](day)),
          ),
    ),
  ].join('\n');
}

/** Without a day that was measured there is none. */
export function trafficChart(days: readonly DayReport[]): Chart | undefined {
  const untilMs = Math.max(0, ...days.flatMap(({ traffic }) => traffic.requestsMs));
  if (untilMs === 0) return undefined;
  const stepMs = 500;
  return {
    title: 'Requests per second at the payment server',
    series: days.map(({ form, traffic }) => ({
      label: `${form} a policy`,
      perSecond: perSecond(traffic.requestsMs, stepMs, untilMs),
    })),
    stepMs,
    outage: days[0]!.outage,
    capacity: CAPACITY,
  };
}

function recovery(ms: number | undefined, { fromMs, toMs }: Outage): string {
  if (fromMs === toMs) return '–';
  return ms === undefined ? 'not that day' : `${(ms / 1_000).toFixed(1)} s`;
}

function milliseconds(ms: number | undefined): string {
  return ms === undefined ? '–' : `${count(Math.round(ms))} ms`;
}

export function auditText({ form, audit }: DayReport): string {
  const lines = audit.findings.flatMap(({ about, detail, problems }) => [
    `  ${problems.length === 0 ? good('✓') : bad('✗')} ${about.padEnd(21)} ${detail}`,
    ...some(problems).map((problem) => `      ${bad(problem)}`),
  ]);
  const held = audit.held.map((line) => `  ${styleText('yellow', '•', stream)} ${'held'.padEnd(21)} ${line}`);
  const verdict = audit.balanced
    ? good('The books balance.')
    : bad(audit.accounted ? 'The books do not balance; the damage is known to the cent.' : 'The books do not balance.');
  return [heading(`AUDIT ${form} a policy`), ...lines, ...held, verdict].join('\n');
}

export function bugText(orderId: string, bug: unknown, trace: string): string {
  const [first = String(bug), ...frames] = bug instanceof Error ? (bug.stack ?? String(bug)).split('\n') : [];
  const where =
    frames
      .find((frame) => frame.includes('/shop/'))
      ?.replace(/file:.*\/shop\//, '')
      .trim() ?? '';
  return `${bad('bug')} in order ${orderId}: ${first}\n    ${where && `${where}   `}trace ${trace}`;
}

const stream = { stream: process.stdout };
const good = (text: string): string => styleText('green', text, stream);
const bad = (text: string): string => styleText('red', text, stream);
const heading = (text: string): string => styleText('bold', text, stream);

/** The first few of a long list of problems; the report has them all. Held orders are never cut: somebody has to see to each. */
function some(lines: readonly string[]): string[] {
  return lines.length <= 12 ? [...lines] : [...lines.slice(0, 4), `… and ${count(lines.length - 4)} more`];
}
