/**
 * Makes an order file: the same one for the same count and seed, on every machine.
 *
 *     node examples/shop/make-orders.ts --count 2000 --seed 7 > examples/shop/orders.csv
 */
import { parseArgs } from 'node:util';
import { chance } from './chance.ts';
import { COLUMNS } from './orders.ts';

const FIRST = 'Ada Ben Chiara Dmitri Elif Femi Greta Hiro Ines Jonas Kofi Lucia Mira Nils'.split(' ');
const LAST = 'Adler Brandt Costa Dubois Eriksen Farkas Gruber Hansen Ito Jensen Kaya Lindt'.split(' ');
const PRICES = [
  ['mug', 1290],
  ['pen', 350],
  ['lamp', 4900],
  ['desk', 24900],
  ['chair', 12900],
  ['notebook', 890],
  ['rope', 2150],
  ['anchor', 8900],
  ['compass', 5600],
  ['lantern', 3400],
  ['cleat', 1150],
  ['buoy', 6400],
] as const;
const CODES = ['SPRING-10', 'WELCOME-5', 'CREW-20'];

const { values } = parseArgs({
  options: { count: { type: 'string', default: '2000' }, seed: { type: 'string', default: '7' } },
});
process.stdout.write(makeOrders(Number(values.count), Number(values.seed)));

function makeOrders(count: number, seed: number): string {
  const width = Math.max(4, String(count).length);
  const lines: string[] = [COLUMNS.join(',')];
  for (let number = 1; number <= count; number++) {
    const id = String(number).padStart(width, '0');
    const luck = (about: string): number => chance(seed, id, about);
    const pick = <T>(list: readonly T[], about: string): T => list[Math.floor(luck(about) * list.length)] as T;

    const [sku, price] = pick(PRICES, 'sku');
    const quantity = 1 + Math.floor(luck('quantity') ** 2 * 5);
    const name = `${pick(FIRST, 'first name')}.${pick(LAST, 'last name')}`.toLowerCase();
    // Two customers in a thousand typed a code without its dash, and two have no address: each of them finds a bug.
    const customer = luck('address') < 0.002 ? name : `${name}@example.org`;
    const code = luck('code');
    const discount = code < 0.002 ? 'SPRING10' : code < 0.15 ? pick(CODES, 'which code') : '';
    lines.push([id, customer, sku, quantity, price * quantity, discount].join(','));
  }
  return `${lines.join('\n')}\n`;
}
