import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COLUMNS, OrderFileError, parseOrders, priceInCents, stockFor, type Order } from './orders.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const HEADER = COLUMNS.join(',');

function problemsOf(text: string): readonly string[] {
  try {
    parseOrders(text, 'orders.csv');
  } catch (error) {
    if (error instanceof OrderFileError) return error.problems;
    throw error;
  }
  return [];
}

describe('the order file', () => {
  it('is the one that make-orders makes', () => {
    const made = execFileSync(process.execPath, [here('./make-orders.ts'), '--count', '2000', '--seed', '7'], {
      encoding: 'utf8',
    });
    expect(made === readFileSync(here('./orders.csv'), 'utf8')).toBe(true); // not the text: a difference is 2,000 lines long
    expect(parseOrders(made, 'orders.csv')).toHaveLength(2_000);
  });

  it('may have Windows line ends, a byte order mark and empty lines', () => {
    expect(parseOrders(`\uFEFF${HEADER}\r\na,ada,mug,1,100,\r\n\r\n`, 'orders.csv')).toEqual([
      { id: 'a', customer: 'ada', sku: 'mug', quantity: 1, amountCents: 100, discount: '' },
    ]);
  });

  it.for([
    ['', ['line 1: found "", expected the header ']],
    ['id,name\n', ['line 1: found "id,name", expected the header ']],
    [`${HEADER}\n`, ['expected at least one order']],
    [`${HEADER}\na b,ada,mug,1,100,`, ['line 2: found id "a b", expected ']],
    [`${HEADER}\na,,mug,1,100,`, ['line 2: found no customer, expected ']],
    [`${HEADER}\na,ada,mu g,1,100,`, ['line 2: found sku "mu g", expected ']],
    [`${HEADER}\na,ada,mug,1.5,100,`, ['line 2: found quantity "1.5", expected ']],
    [`${HEADER}\na,ada,mug,1,1e3,`, ['line 2: found amount_cents "1e3", expected ']],
    [`${HEADER}\na,ada,mug,1,100,,`, ['line 2: found 7 fields, expected 6 ']],
    [
      `${HEADER}\na,ada,mug,1,100,\n${HEADER}`,
      ['line 3: found quantity "quantity"', 'line 3: found amount_cents "amount_cents"'],
    ],
  ] as const)('is refused when it reads %j', ([text, expected]) => {
    expect(problemsOf(text)).toEqual(expected.map((words) => expect.stringContaining(words) as string));
  });
});

describe('an order', () => {
  const order: Order = { id: 'a', customer: 'ada', sku: 'mug', quantity: 20, amountCents: 999, discount: '' };

  it('costs its amount, less the discount, rounded in favour of the shop', () => {
    expect(priceInCents(order)).toBe(999);
    expect(priceInCents({ ...order, discount: 'SPRING-10' })).toBe(900);
  });

  it('finds a real bug when its code has no dash', () => {
    expect(() => priceInCents({ ...order, discount: 'SPRING10' })).toThrow(TypeError);
  });

  it('finds nineteen pieces of the twenty it asks for', () => {
    expect(stockFor([order, { ...order, id: 'b' }])).toEqual(new Map([['mug', 38]]));
  });
});
