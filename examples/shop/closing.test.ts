import { describe, expect, it } from 'vitest';
import { audit } from './audit.ts';
import { Book } from './book.ts';
import { auditText, comparison, trafficChart } from './closing.ts';
import type { DayReport } from './day.ts';
import type { Form } from './options.ts';
import type { Ending } from './place-order.ts';

function day(form: Form, requestsMs: readonly number[], ...endings: Ending[]): DayReport {
  const book = new Book([]);
  for (const [index, ending] of endings.entries())
    book.entries.set(String(index), { arrivedMs: 0, tookMs: 50, ending });
  const books = { orders: [], endings: new Map(), rows: [], shelves: [], receipts: [], released: {}, leftovers: [] };
  return {
    form,
    book,
    audit: {
      ...audit({ ...books, ledger: [] }),
      damage: { twice: { orders: 1_234, cents: 21_554_443 }, forNothing: { orders: 0, cents: 0 } },
    },
    refusals: { breaker: 981, bulkhead: 83, budget: 0 },
    outage: { fromMs: 1_000, toMs: 2_000 },
    traffic: { openedAt: 0, requestsMs },
    figures: {
      attempts: { mean: 1.138, most: 4 },
      requests: requestsMs.length,
      requestsInOutage: 1,
      recoveredMs: form === 'with' ? 500 : undefined,
      p50Ms: 46.4,
      p99Ms: form === 'with' ? 2_532.1 : undefined,
    },
    seconds: 17.24,
  };
}

const placed: Ending = { kind: 'placed', afterAsking: false };
const days = [
  day('without', [0, 100, 2_400], { kind: 'refused', why: 'no answer' }, { kind: 'held' }),
  day('with', [0, 1_200], placed, { kind: 'placed', afterAsking: true }),
];

describe('the comparison', () => {
  it('has the days side by side, in 80 columns', () => {
    const lines = comparison(days).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    for (const line of [
      '                                            without a policy     with a policy',
      '  placed                                                   0                 2',
      '    of them after asking what became of it                 0                 1',
      '  given up, no answer                                      1                 0',
      '  held: nobody could say                                   1                 0',
      '  orders charged twice or more                         1,234             1,234',
      '    taken again                                 € 215,544.43      € 215,544.43',
      '  attempts per order, mean                              1.14              1.14',
      '  recovered after the outage in                 not that day             0.5 s',
      '  a placed order, median                               46 ms             46 ms',
      '    99th percentile                                        –          2,532 ms',
      '  the day                                             17.2 s            17.2 s',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it('has one column for one day, and no recovery where there was no outage', () => {
    const [line] = comparison([{ ...days[1]!, outage: { fromMs: 1_000, toMs: 1_000 } }])
      .split('\n')
      .filter((text) => text.includes('recovered after'));
    expect(line).toMatch(/ –$/);
  });
});

describe('the chart of the traffic', () => {
  it('has both days on one scale of time', () => {
    expect(trafficChart(days)).toMatchObject({
      series: [
        { label: 'without a policy', perSecond: [4, 0, 0, 0, 2] },
        { label: 'with a policy', perSecond: [2, 0, 2, 0, 0] },
      ],
      stepMs: 500,
      outage: { fromMs: 1_000, toMs: 2_000 },
    });
  });

  it('is missing when nobody could say when a request came', () => {
    expect(trafficChart([day('with', [])])).toBeUndefined();
  });
});

describe('the text of an audit', () => {
  it('cuts long lists of problems, and never that of the held orders', () => {
    const lines = Array.from({ length: 20 }, (_, n) => `order ${n}`);
    const findings = [{ about: 'rows = ledger', detail: '', problems: lines }];
    const text = auditText({ ...days[0]!, audit: { ...days[0]!.audit, balanced: false, findings, held: lines } });
    expect(text).toContain('order 3\n      … and 16 more\n');
    expect(text.match(/• held/g)).toHaveLength(20);
    expect(text).toContain('The books do not balance; the damage is known to the cent.');
  });
});
