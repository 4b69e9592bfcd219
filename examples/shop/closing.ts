/** What is printed when the day is over: the table, the audit, and how to have the same day again. */
import { styleText } from 'node:util';
import { count, type Audit } from './audit.ts';
import type { Day } from './day.ts';

type Cell = readonly [label: string, value: number, note: string];

export function table(day: Day, released: Readonly<Record<string, { opened: number; released: number }>>): string {
  const why = (kind: 'out of stock' | 'card declined' | 'no answer') =>
    day.count('refused', (ending) => ending.why === kind);
  const rowIs = (kind: 'recovered' | 'stopped', ...states: string[]) =>
    day.count(kind, (ending) => states.includes(ending.row));
  const asked = day.count('placed', (ending) => ending.afterAsking);

  const cells: Cell[] = [
    ['placed', day.count('placed'), asked > 0 ? `${asked} of them after asking what became of the charge` : ''],
    [
      'refused',
      day.count('refused'),
      parts(
        [why('card declined'), 'card declined'],
        [why('out of stock'), 'out of stock'],
        [why('no answer'), 'no answer from the payment server'],
      ),
    ],
    [
      'recovered',
      day.count('recovered'),
      parts(
        [rowIs('recovered', 'released', 'none'), 'not charged, given back'],
        [rowIs('recovered', 'confirmed'), 'charged, so completed'],
        [rowIs('recovered', 'held'), 'held'],
      ),
    ],
    [
      'held',
      day.count('held'),
      day.count('held') > 0 ? 'nobody could say whether they were charged: not given back' : '',
    ],
    [
      'cancelled',
      day.count('stopped'),
      parts(
        [rowIs('stopped', 'released', 'none'), 'not charged, given back'],
        [rowIs('stopped', 'confirmed'), 'charged, so completed'],
        [rowIs('stopped', 'held'), 'held'],
      ),
    ],
    ['not begun', day.orders.length - day.endings.size, ''],
  ];

  const orders = cells.map(([label, value, note]) =>
    `  ${label.padEnd(16)}${count(value).padStart(8)}   ${note}`.trimEnd(),
  );
  const resources = Object.entries(released).map(
    ([what, { opened, released: back }]) =>
      `  ${what.padEnd(16)}${count(opened).padStart(8)}${count(back).padStart(10)}`,
  );
  return [
    heading('ORDERS'.padEnd(18) + count(day.orders.length).padStart(8)),
    ...orders,
    '',
    heading(`${'OPENED, RELEASED'.padEnd(18)}${'opened'.padStart(8)}${'released'.padStart(10)}`),
    ...resources,
  ].join('\n');
}

export function auditText(audit: Audit): string {
  const lines = audit.findings.flatMap(({ about, detail, problems }) => [
    `  ${problems.length === 0 ? good('✓') : bad('✗')} ${about.padEnd(21)} ${detail}`,
    ...some(problems).map((problem) => `      ${bad(problem)}`),
  ]);
  const held = audit.held.map((line) => `  ${styleText('yellow', '•', stream)} ${'held'.padEnd(21)} ${line}`);
  return [
    heading('AUDIT'),
    ...lines,
    ...held,
    '',
    audit.balanced ? good('The books balance.') : bad('The books do not balance.'),
  ].join('\n');
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

function parts(...all: readonly (readonly [number, string])[]): string {
  return all
    .filter(([number]) => number > 0)
    .map(([number, text]) => `${number} ${text}`)
    .join(' · ');
}

/** The first few of a long list of problems; the report has them all. Held orders are never cut: somebody has to see to each. */
function some(lines: readonly string[]): string[] {
  return lines.length <= 12 ? [...lines] : [...lines.slice(0, 10), `… and ${lines.length - 10} more`];
}
