/**
 * The order file: what a line means, and what is wrong with a line that means nothing.
 *
 * A file is read to its end before anything is started, and every bad line is told at once: half a file placed, and the
 * other half refused for a missing comma, would be the first thing to explain to a customer.
 */
import { readFileSync } from 'node:fs';

export interface Order {
  /** Unique in its file; the receipt, the row and the key of the charge are named after it. */
  readonly id: string;
  readonly customer: string;
  readonly sku: string;
  readonly quantity: number;
  readonly amountCents: number;
  /** Free text as the customer typed it, '' for none. Nobody checked it: see `priceInCents`. */
  readonly discount: string;
}

export const COLUMNS = ['id', 'customer', 'sku', 'quantity', 'amount_cents', 'discount'] as const;

/** The file cannot be used. `problems` has a line for each thing found, ready to print. */
export class OrderFileError extends Error {
  readonly problems: readonly string[];

  constructor(file: string, problems: readonly string[]) {
    super(`${file}: ${problems.length === 1 ? '1 problem' : `${problems.length} problems`}`);
    this.name = 'OrderFileError';
    this.problems = problems;
  }
}

export function readOrders(file: string): Order[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new OrderFileError(file, [`cannot be read: ${(error as Error).message}`]);
  }
  return parseOrders(text, file);
}

export function parseOrders(text: string, file: string): Order[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const header = COLUMNS.join(',');
  if (lines[0] !== header) {
    throw new OrderFileError(file, [`line 1: found ${show(lines[0] ?? '')}, expected the header ${show(header)}`]);
  }

  const orders: Order[] = [];
  const problems: string[] = [];
  const lineOf = new Map<string, number>();
  for (const [index, line] of lines.entries()) {
    const at = index + 1;
    if (index === 0 || line === '') continue;
    const fields = line.split(',');
    if (fields.length !== COLUMNS.length) {
      problems.push(`line ${at}: found ${fields.length} fields, expected ${COLUMNS.length} (${header})`);
      continue;
    }
    const [id, customer, sku, quantity, amount, discount] = fields as [string, string, string, string, string, string];
    const wrong = [
      /^[\w-]{1,40}$/.test(id) ? '' : `id ${show(id)}, expected 1 to 40 letters, digits, '-' or '_'`,
      lineOf.has(id) ? `id ${show(id)} again, expected an id that line ${lineOf.get(id)} does not have` : '',
      customer === '' ? `no customer, expected a name or an address` : '',
      /^[\w-]+$/.test(sku) ? '' : `sku ${show(sku)}, expected letters, digits, '-' or '_'`,
      wholeNumber(quantity, 1, 1_000) ? '' : `quantity ${show(quantity)}, expected a whole number from 1 to 1000`,
      wholeNumber(amount, 1, 100_000_000)
        ? ''
        : `amount_cents ${show(amount)}, expected a whole number from 1 to 100000000`,
    ].filter((text) => text !== '');
    problems.push(...wrong.map((text) => `line ${at}: found ${text}`));
    if (!lineOf.has(id)) lineOf.set(id, at);
    orders.push({ id, customer, sku, quantity: Number(quantity), amountCents: Number(amount), discount });
  }
  if (orders.length === 0 && problems.length === 0)
    problems.push('found a header and no order, expected at least one order');
  if (problems.length > 0) throw new OrderFileError(file, problems);
  return orders;
}

/**
 * What the customer pays.
 *
 * Here is the bug of this shop, left in on purpose: a discount code reads `WORD-PERCENT`, and whoever wrote the `!` below was
 * sure of that. For `SPRING10` the match is null, and this line throws an honest `TypeError` in the middle of an order, after
 * the goods were reserved.
 */
export function priceInCents(order: Order): number {
  if (order.discount === '') return order.amountCents;
  const percent = Number(order.discount.match(/^[A-Z]+-(\d{1,2})$/)![1]);
  return order.amountCents - Math.floor((order.amountCents * percent) / 100);
}

/** What the shelves hold when the day begins: 19 pieces for every 20 that the file asks for, so that some orders come too late. */
export function stockFor(orders: readonly Order[]): Map<string, number> {
  const asked = new Map<string, number>();
  for (const order of orders) asked.set(order.sku, (asked.get(order.sku) ?? 0) + order.quantity);
  return new Map([...asked].map(([sku, quantity]) => [sku, Math.ceil((quantity * 19) / 20)]));
}

function wholeNumber(text: string, least: number, most: number): boolean {
  return /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most;
}

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
