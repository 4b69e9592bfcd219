/**
 * The audit: four accounts of one day, compared order by order and by id.
 *
 * | account      | who keeps it                                                |
 * |--------------|--------------------------------------------------------------|
 * | the file     | the customers: what was ordered, and for how much            |
 * | the endings  | the program: what it says became of every order              |
 * | the rows     | SQLite: what the shop will act on tomorrow                   |
 * | the ledger   | the payment server: what money has really moved              |
 *
 * It is a function of these and of nothing else, so that a test can hand it a forged day.
 */
import { scopeSync } from 'holdfast';
import type { Charge, LedgerEntry } from './ledger.ts';
import { priceInCents, type Order } from './orders.ts';
import type { Ending } from './place-order.ts';
import type { Row, RowState, Shelf } from './store.ts';

export interface Books {
  readonly orders: readonly Order[];
  readonly endings: ReadonlyMap<string, Ending>;
  readonly rows: readonly Row[];
  readonly shelves: readonly Shelf[];
  readonly ledger: readonly LedgerEntry[];
  /** Ids of the orders with a receipt. */
  readonly receipts: readonly string[];
  /** Things that the orders opened, by name, and what is left of them. */
  readonly released: Readonly<Record<string, { readonly opened: number; readonly released: number }>>;
  readonly leftovers: readonly string[];
}

/** What became of one order, in all accounts: the line that is the same in every run of one seed with one order at a time. */
export interface OrderLine {
  readonly id: string;
  readonly ending: string;
  readonly row: RowState | 'none';
  /** How often the payment server was asked to charge it. */
  readonly sends: number;
  readonly charges: number;
  readonly cents: number;
}

export interface Finding {
  readonly about: string;
  readonly detail: string;
  readonly problems: readonly string[];
}

/** Money that was taken and should not have been. All of it is known, order by order; nobody has given it back. */
export interface Damage {
  /** Orders that were charged more than once, and what that took beyond the first time. */
  readonly twice: { readonly orders: number; readonly cents: number };
  /** Orders that the shop gave up, and that were charged. */
  readonly forNothing: { readonly orders: number; readonly cents: number };
}

export interface Audit {
  /** All accounts agree, and nobody paid for nothing. */
  readonly balanced: boolean;
  /** All accounts agree but for the damage, which is known to the cent. */
  readonly accounted: boolean;
  readonly damage: Damage;
  readonly findings: readonly Finding[];
  /** Not wrong, and for a person to decide: each held order, with what the ledger knows of it. */
  readonly held: readonly string[];
  readonly lines: readonly OrderLine[];
}

export function audit(books: Books): Audit {
  const rows = new Map(books.rows.map((row) => [row.order_id, row]));
  const ledger = Map.groupBy(books.ledger, (entry) => entry.order);
  const known = new Set(books.orders.map((order) => order.id));

  const lines: OrderLine[] = [];
  const held: string[] = [];
  const problems = {
    claims: [] as string[],
    damage: [] as string[],
    money: [] as string[],
    strangers: [] as string[],
    stock: [] as string[],
    receipts: [] as string[],
    open: [] as string[],
  };

  const twice = { orders: 0, cents: 0 };
  const forNothing = { orders: 0, cents: 0 };

  for (const order of books.orders) {
    const ending = books.endings.get(order.id);
    const row = rows.get(order.id);
    const entries = ledger.get(order.id) ?? [];
    const charges = entries.flatMap((entry) => entry.charges);
    const line: OrderLine = {
      id: order.id,
      ending: ending ? endingWord(ending) : 'not begun',
      row: row?.state ?? 'none',
      sends: entries.reduce((sum, entry) => sum + entry.sends, 0),
      charges: charges.length,
      cents: charges.reduce((sum, charge) => sum + charge.cents, 0),
    };
    lines.push(line);

    const wrongClaim = claimProblem(ending, line.row);
    if (wrongClaim) problems.claims.push(`order ${order.id}: ${wrongClaim}`);
    if (row && (row.sku !== order.sku || row.quantity !== order.quantity)) {
      problems.claims.push(
        `order ${order.id}: the row has ${row.quantity} × ${row.sku}, the file ${order.quantity} × ${order.sku}`,
      );
    }
    const first = charges[0]?.cents ?? 0;
    if (charges.length > 1) {
      twice.orders++;
      twice.cents += line.cents - first;
    }
    if (charges.length > 0 && line.row !== 'confirmed' && line.row !== 'held') {
      forNothing.orders++;
      forNothing.cents += first;
    }
    const damage = damageOf(line);
    if (damage) problems.damage.push(`order ${order.id}: ${damage}`);
    const wrongMoney = moneyProblem(order, row, line.row, charges);
    if (wrongMoney) problems.money.push(`order ${order.id}: ${wrongMoney}`);
    if (line.row === 'held') {
      held.push(
        `order ${order.id}: the ledger says ${charges.length > 0 ? `charged, ${charges[0]?.id}, ${euro(line.cents)}` : 'not charged'}`,
      );
    }
  }

  for (const row of books.rows)
    if (!known.has(row.order_id)) problems.strangers.push(`row ${row.order_id}: no such order in the file`);
  for (const entry of books.ledger) {
    if (!known.has(entry.order) && (entry.sends > 0 || entry.charges.length > 0)) {
      problems.strangers.push(`ledger ${entry.key}: no order ${JSON.stringify(entry.order)} in the file`);
    }
  }

  for (const shelf of books.shelves) {
    const taken = books.rows
      .filter((row) => row.sku === shelf.sku && row.state !== 'released')
      .reduce((sum, row) => sum + row.quantity, 0);
    if (shelf.left + taken !== shelf.at_first) {
      problems.stock.push(
        `${shelf.sku}: ${shelf.left} left + ${taken} sold or held, expected ${shelf.at_first} together`,
      );
    }
  }

  const receipts = new Set(books.receipts);
  for (const line of lines) {
    const expected = line.row === 'confirmed' && !line.ending.startsWith('recovered');
    if (expected && !receipts.has(line.id)) problems.receipts.push(`order ${line.id}: confirmed, and no receipt`);
    if (line.row !== 'confirmed' && receipts.has(line.id))
      problems.receipts.push(`order ${line.id}: a receipt, and the row is ${line.row}`);
  }
  const resources = Object.entries(books.released);
  for (const [what, { opened, released }] of resources) {
    if (opened !== released) problems.open.push(`${what}: ${opened} opened, ${released} released`);
  }
  problems.open.push(...books.leftovers.map((name) => `left behind: ${name}`));

  const of = (state: RowState): OrderLine[] => lines.filter((line) => line.row === state);
  const confirmed = books.rows
    .filter((row) => row.state === 'confirmed')
    .reduce((sum, row) => sum + (row.cents ?? 0), 0);
  const heldCents = of('held').reduce(
    (sum, { id }) => sum + (ledger.get(id)?.flatMap((e) => e.charges)[0]?.cents ?? 0),
    0,
  );
  const charged = books.ledger.flatMap((entry) => entry.charges).reduce((sum, charge) => sum + charge.cents, 0);
  const sum = confirmed + heldCents + twice.cents + forNothing.cents;

  const findings: Finding[] = [
    {
      about: 'endings = rows',
      detail: `${count(books.orders.length)} orders, each row where the program says it is, none half done`,
      problems: problems.claims,
    },
    {
      about: 'rows = ledger',
      detail: `${count(of('confirmed').length)} confirmed, each to be charged once; ${count(of('released').length)} released, none of them`,
      problems: [...problems.money, ...problems.damage],
    },
    {
      about: 'file ⊇ rows, ledger',
      detail: `${count(books.rows.length)} rows and ${count(books.ledger.length)} keys, each of an order in the file`,
      problems: problems.strangers,
    },
    {
      about: 'stock',
      detail: `${count(books.shelves.length)} articles: left + sold + held = what there was`,
      problems: problems.stock,
    },
    {
      about: 'receipts',
      detail: `${count(receipts.size)}, one for each confirmed order, but for reported bugs`,
      problems: problems.receipts,
    },
    {
      about: 'nothing left open',
      detail: resources.map(([what, { opened }]) => `${count(opened)} ${what}`).join(', '),
      problems: problems.open,
    },
    {
      about: 'money',
      detail: [
        `rows ${euro(confirmed)}`,
        ...(heldCents > 0 ? [`held ${euro(heldCents)}`] : []),
        ...(twice.cents > 0 ? [`again ${euro(twice.cents)}`] : []),
        ...(forNothing.cents > 0 ? [`for nothing ${euro(forNothing.cents)}`] : []),
      ]
        .join(' + ')
        .concat(` = ledger ${euro(charged)}`),
      problems: sum === charged ? [] : [`together ${euro(sum)}, the ledger has ${euro(charged)}`],
    },
  ];
  const found = findings.reduce((sum, finding) => sum + finding.problems.length, 0);
  return {
    balanced: found === 0,
    accounted: found === problems.damage.length,
    damage: { twice, forNothing },
    findings,
    held,
    lines,
  };
}

/** The word for an ending in the report, with where it left the row when the kind alone does not say. */
export function endingWord(ending: Ending): string {
  switch (ending.kind) {
    case 'placed':
    case 'held':
      return ending.kind;
    case 'refused':
      return `refused: ${ending.why}`;
    case 'recovered':
    case 'stopped':
      return `${ending.kind}: ${ending.row}`;
  }
}

/** Is the row where the program says that it left it? */
function claimProblem(ending: Ending | undefined, row: RowState | 'none'): string | undefined {
  if (row === 'reserved') return 'half done: reserved, and nobody is working on it';
  const expected = expectedRow(ending);
  return row === expected
    ? undefined
    : `the program says ${ending ? endingWord(ending) : 'not begun'}, the row is ${row}, expected ${expected}`;
}

function expectedRow(ending: Ending | undefined): RowState | 'none' {
  switch (ending?.kind) {
    case undefined:
      return 'none';
    case 'placed':
      return 'confirmed';
    case 'held':
      return 'held';
    case 'refused':
      return ending.why === 'out of stock' ? 'none' : 'released';
    case 'recovered':
    case 'stopped':
      return ending.row;
  }
}

/** Was it charged although it was given up, or more than once? */
function damageOf({ row, charges, cents }: OrderLine): string | undefined {
  const often = charges > 1 ? `charged ${charges} times` : 'charged';
  if (charges > 0 && row !== 'confirmed' && row !== 'held') return `${often}, ${euro(cents)}, and the row is ${row}`;
  return charges > 1 ? `${often}, ${euro(cents)}` : undefined;
}

/** Does the row tell of a charge that was made, for the price of the order? */
function moneyProblem(
  order: Order,
  row: Row | undefined,
  state: OrderLine['row'],
  charges: readonly Charge[],
): string | undefined {
  if (row === undefined || state !== 'confirmed') return undefined;
  if (charges.length === 0) return 'confirmed, and never charged';
  const charge = charges.find(({ id }) => id === row.charge_id);
  if (charge === undefined)
    return `the row has charge ${row.charge_id}, the ledger ${charges.map(({ id }) => id).join(', ')}`;
  if (row.cents !== charge.cents) return `the row has ${euro(row.cents ?? 0)}, the ledger ${euro(charge.cents)}`;
  const price = priceOf(order);
  if (charge.cents !== price)
    return `charged ${euro(charge.cents)}, the file asks for ${price === undefined ? 'no price at all' : euro(price)}`;
  return undefined;
}

/** An audit that stumbles over the bug that it should find would be none. */
function priceOf(order: Order): number | undefined {
  return scopeSync({ recover: () => undefined }, () => priceInCents(order));
}

export function euro(cents: number): string {
  return `€ ${(cents / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

export function count(number: number): string {
  return number.toLocaleString('en');
}
