/**
 * Makes an order file: the same one for the same count and seed, on every machine.
 *
 *     node examples/shop/make-orders.ts --count 2000 --seed 7 > examples/shop/orders.csv
 */
import { parseArgs } from 'node:util';
import { seededRandom } from 'holdfast/testing';
import { COLUMNS } from './orders.ts';

const FIRST = ['Ada', 'Ben', 'Chiara', 'Dmitri', 'Elif', 'Femi', 'Greta', 'Hiro', 'Ines', 'Jonas', 'Kofi', 'Lucia', 'Mira', 'Nils'];
const LAST = ['Adler', 'Brandt', 'Costa', 'Dubois', 'Eriksen', 'Farkas', 'Gruber', 'Hansen', 'Ito', 'Jensen', 'Kaya', 'Lindt'];
const PRICES = [['mug', 1290], ['pen', 350], ['lamp', 4900], ['desk', 24900], ['chair', 12900], ['notebook', 890], ['rope', 2150],
  ['anchor', 8900], ['compass', 5600], ['lantern', 3400], ['cleat', 1150], ['buoy', 6400]] as const;
const CODES = ['SPRING-10', 'WELCOME-5', 'CREW-20'];

const { values } = parseArgs({ options: { count: { type: 'string', default: '2000' }, seed: { type: 'string', default: '7' } } });
process.stdout.write(makeOrders(Number(values.count), Number(values.seed)));

function makeOrders(count: number, seed: number): string {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const width = Math.max(4, String(count).length);

  const lines: string[] = [COLUMNS.join(',')];
  for (let number = 1; number <= count; number++) {
    const [sku, price] = pick(PRICES);
    const quantity = 1 + Math.floor(random() ** 2 * 5);
    const name = `${pick(FIRST)}.${pick(LAST)}`.toLowerCase();
    const luck = random();
    // Two customers in a thousand typed a code without its dash, and one in a thousand has no address: both find a bug.
    const discount = luck < 0.0025 ? 'SPRING10' : luck < 0.15 ? pick(CODES) : '';
    const customer = luck > 0.9985 ? name : `${name}@example.org`;
    lines.push([String(number).padStart(width, '0'), customer, sku, quantity, price * quantity, discount].join(','));
  }
  return `${lines.join('\n')}\n`;
}
