import { describe, expect, it } from 'vitest';
import type { Audit, OrderLine } from './audit.ts';
import { Book, type Entry } from './book.ts';
import { figuresOf } from './figures.ts';
import type { Ending } from './place-order.ts';

const placed: Ending = { kind: 'placed', afterAsking: false };
const givenUp: Ending = { kind: 'refused', why: 'no answer' };
const outage = { fromMs: 1_000, toMs: 2_000 };
const requestsMs = [0, 999, 1_000, 1_500, 1_999, 2_000];

function bookOf(entries: Entry[]): Book {
  const book = new Book([]);
  for (const [index, entry] of entries.entries()) book.entries.set(String(index), entry);
  return book;
}
/** Ten orders in each half-second of a day of 4 s, of which so many are given up. */
function day(...givenUpInStep: number[]): Book {
  const entries = givenUpInStep.flatMap((bad, step) =>
    Array.from({ length: 10 }, (_, n) => ({
      arrivedMs: step * 500 + n * 50,
      tookMs: 50,
      ending: n < bad ? givenUp : placed,
    })),
  );
  return bookOf(entries);
}
/** The server has opened 100 ms after the shop. */
function figures(book: Book, audit = audited()) {
  for (const [id, entry] of book.entries) book.entries.set(id, { ...entry, arrivedMs: entry.arrivedMs + 100 });
  return figuresOf(book, audit, { openedAt: book.openedAt + 100, requestsMs }, outage);
}
const audited = (...sends: number[]) =>
  ({ lines: sends.map((times, n) => ({ id: String(n), sends: times }) as OrderLine) }) as unknown as Audit;

describe('the figures of a day', () => {
  it('count the requests of the outage, which ends before its end', () => {
    expect(figures(day())).toMatchObject({ requests: 6, requestsInOutage: 3 });
  });

  it('have attempts of those orders only that were sent at all', () => {
    expect(figures(day(), audited(0, 1, 1, 4)).attempts).toEqual({ mean: 2, most: 4 });
    expect(figures(day()).attempts).toEqual({ mean: 0, most: 0 });
  });

  it('have the median and the 99th percentile of the orders that were placed', () => {
    const entries = Array.from({ length: 200 }, (_, n) => ({ arrivedMs: 0, tookMs: n + 1, ending: placed }));
    const book = bookOf([...entries, { arrivedMs: 0, tookMs: 9_999, ending: givenUp }]);
    expect(figures(book)).toMatchObject({ p50Ms: 100, p99Ms: 198 });
    expect(figures(day())).toMatchObject({ p50Ms: undefined, p99Ms: undefined });
  });

  it.for<[string, Book, number | undefined]>([
    ['at once, when nine of ten are answered from its end on', day(0, 0, 10, 10, 1, 0, 1, 0), 0],
    ['in the last half-second in which more of them were not', day(0, 0, 10, 10, 9, 2, 1, 0), 1_000],
    ['after a relapse', day(0, 0, 10, 10, 0, 0, 2, 0), 1_500],
    ['not at all, when the last half-second is one', day(0, 0, 10, 10, 0, 0, 0, 2), undefined],
    ['not at all, when nobody came any more', day(0, 0, 10, 10), undefined],
  ])('say when it had recovered: %s', ([, book, recoveredMs]) => {
    expect(figures(book).recoveredMs).toBe(recoveredMs);
  });

  it('take a late answer for none', () => {
    const late = bookOf([{ arrivedMs: 2_100, tookMs: 1_000, ending: placed }]);
    expect(figures(late).recoveredMs).toBeUndefined();
  });
});
