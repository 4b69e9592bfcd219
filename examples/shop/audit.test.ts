/** An audit is worth what it finds, so each of these forges one honest day in one way. */
import { describe, expect, it } from 'vitest';
import { audit, type Books } from './audit.ts';
import type { LedgerEntry } from './ledger.ts';
import type { Order } from './orders.ts';
import type { Ending } from './place-order.ts';
import type { Row } from './store.ts';

const order = (id: string): Order => ({
  id,
  customer: `${id}@example.org`,
  sku: 'mug',
  quantity: 2,
  amountCents: 1_000,
  discount: '',
});
const row = (id: string, state: Row['state']): Row => ({
  order_id: id,
  sku: 'mug',
  quantity: 2,
  charge_key: `order-${id}`,
  trace_id: '0',
  state,
  charge_id: state === 'confirmed' ? `ch_${id}` : null,
  cents: state === 'confirmed' ? 1_000 : null,
  note: '',
});
const entry = (id: string, charged: boolean, sends = 1): LedgerEntry => ({
  key: `order-${id}`,
  order: id,
  sends,
  charges: charged ? [{ id: `ch_${id}`, cents: 1_000 }] : [],
  declined: !charged,
  closed: false,
});

/** One order of each kind; `never` was not begun. */
const honest: Books = {
  orders: ['placed', 'declined', 'short', 'held', 'bug', 'cut', 'never'].map(order),
  endings: new Map<string, Ending>([
    ['placed', { kind: 'placed', afterAsking: false }],
    ['declined', { kind: 'refused', why: 'card declined' }],
    ['short', { kind: 'refused', why: 'out of stock' }],
    ['held', { kind: 'held' }],
    ['bug', { kind: 'recovered', bug: new TypeError(), trace: '0', row: 'released' }],
    ['cut', { kind: 'stopped', row: 'confirmed' }],
  ]),
  rows: [
    row('placed', 'confirmed'),
    row('declined', 'released'),
    row('held', 'held'),
    row('bug', 'released'),
    row('cut', 'confirmed'),
  ],
  shelves: [{ sku: 'mug', at_first: 10, left: 4 }],
  ledger: [entry('placed', true), entry('declined', false), entry('held', true, 4), entry('cut', true, 2)],
  receipts: ['placed', 'cut'],
  released: { connections: { opened: 6, released: 6 } },
  leftovers: [],
};

const found = (books: Books): string[] => audit(books).findings.flatMap((finding) => finding.problems);
const withRow = (id: string, change: Partial<Row>): Books => ({
  ...honest,
  rows: honest.rows.map((row) => (row.order_id === id ? { ...row, ...change } : row)),
});
const withEntry = (id: string, change: Partial<LedgerEntry>): Books => ({
  ...honest,
  ledger: honest.ledger.map((entry) => (entry.order === id ? { ...entry, ...change } : entry)),
});

describe('the audit', () => {
  it('balances an honest day, and lists what is held with what the ledger knows of it', () => {
    const result = audit(honest);

    expect(found(honest)).toEqual([]);
    expect(result).toMatchObject({ balanced: true, accounted: true });
    expect(result.held).toEqual(['order held: the ledger says charged, ch_held, € 10.00']);
    expect(result.lines.find((line) => line.id === 'cut')).toEqual({
      id: 'cut',
      ending: 'stopped: confirmed',
      row: 'confirmed',
      sends: 2,
      charges: 1,
      cents: 1_000,
    });
  });

  it('knows to the cent what was taken and should not have been, and tells that from what nobody can explain', () => {
    const damaged: Books = {
      ...withEntry('declined', { charges: [{ id: 'ch_late', cents: 700 }] }),
      ledger: [
        ...withEntry('declined', { charges: [{ id: 'ch_late', cents: 700 }] }).ledger,
        { ...entry('placed', true), key: 'another', charges: [{ id: 'ch_again', cents: 1_000 }] },
      ],
    };
    expect(audit(damaged)).toMatchObject({
      balanced: false,
      accounted: true,
      damage: { twice: { orders: 1, cents: 1_000 }, forNothing: { orders: 1, cents: 700 } },
    });
    expect(audit(damaged).findings.at(-1)).toEqual({
      about: 'money',
      detail: 'rows € 20.00 + held € 10.00 + again € 10.00 + for nothing € 7.00 = ledger € 47.00',
      problems: [],
    });
    expect(audit({ ...damaged, leftovers: ['placed.txt.tmp'] }).accounted).toBe(false);
  });

  it.for<[string, Books, string]>([
    ['a row that is half done', withRow('declined', { state: 'reserved' }), 'order declined: half done'],
    [
      'goods given back although they were paid for',
      withEntry('declined', { charges: [{ id: 'ch_late', cents: 1_000 }] }),
      'order declined: charged, € 10.00, and the row is released',
    ],
    [
      'goods sold although nobody paid',
      withEntry('placed', { charges: [] }),
      'order placed: confirmed, and never charged',
    ],
    [
      'a customer who paid twice',
      { ...honest, ledger: [...honest.ledger, { ...entry('placed', true), key: 'another' }] },
      'order placed: charged 2 times, € 20.00',
    ],
    [
      'a charge that never reached the shop',
      { ...honest, ledger: [...honest.ledger, entry('never', true)] },
      'order never: charged, € 10.00, and the row is none',
    ],
    [
      'a charge by another name',
      withRow('placed', { charge_id: 'ch_other' }),
      'order placed: the row has charge ch_other, the ledger ch_placed',
    ],
    [
      'a wrong amount in the row',
      withRow('placed', { cents: 1 }),
      'order placed: the row has € 0.01, the ledger € 10.00',
    ],
    [
      'a price that is not the one in the file',
      {
        ...withRow('placed', { cents: 7 }),
        ledger: withEntry('placed', { charges: [{ id: 'ch_placed', cents: 7 }] }).ledger,
      },
      'order placed: charged € 0.07, the file asks for € 10.00',
    ],
    [
      'a charge for an order that has no price',
      {
        ...honest,
        orders: honest.orders.map((order) => (order.id === 'placed' ? { ...order, discount: 'SPRING10' } : order)),
      },
      'order placed: charged € 10.00, the file asks for no price at all',
    ],
    [
      'an order that nobody placed',
      { ...honest, rows: [...honest.rows, row('ghost', 'released')] },
      'row ghost: no such order',
    ],
    [
      'a charge for an order that nobody placed',
      { ...honest, ledger: [...honest.ledger, entry('ghost', true)] },
      'ledger order-ghost: no order',
    ],
    [
      'a program that claims too much',
      { ...honest, endings: new Map([...honest.endings, ['declined', { kind: 'placed', afterAsking: false }]]) },
      'order declined: the program says placed, the row is released',
    ],
    [
      'a program that does not know what it did',
      { ...honest, endings: new Map([...honest.endings].slice(1)) },
      'order placed: the program says not begun',
    ],
    [
      'goods that went astray',
      { ...honest, shelves: [{ sku: 'mug', at_first: 10, left: 6 }] },
      'mug: 6 left + 6 sold or held, expected 10',
    ],
    [
      'a connection that stayed open',
      { ...honest, released: { connections: { opened: 6, released: 5 } } },
      'connections: 6 opened, 5 released',
    ],
    ['a temporary file', { ...honest, leftovers: ['placed.txt.tmp'] }, 'left behind: placed.txt.tmp'],
    ['a receipt that is missing', { ...honest, receipts: ['cut'] }, 'order placed: confirmed, and no receipt'],
    [
      'a receipt for nothing',
      { ...honest, receipts: ['placed', 'cut', 'bug'] },
      'order bug: a receipt, and the row is released',
    ],
  ])('finds %s', ([, forged, problem]) => {
    expect(found(forged)).toContainEqual(expect.stringContaining(problem));
    expect(audit(forged).balanced).toBe(false);
  });
});
