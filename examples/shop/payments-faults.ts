/**
 * What goes wrong at the payment server, and when.
 *
 * Everything is decided by the seed, the order and how often the server was asked to charge it, never by the time or the sequence in
 * which requests arrive. (The outage and the crowd are not in here: they are the affair of payments-workers.ts.)
 */
import { chance } from './chance.ts';

/** What happens to one request to charge. `before` and `after` say whether the money had moved by then. */
export type Fault =
  | 'none'
  | 'slow' // answers, after a while
  | 'unavailable' // 503, nothing done
  | 'hang-before' // never answers, nothing done
  | 'hang-after' // charges, never answers
  | 'cut-before' // breaks the connection, nothing done
  | 'cut-after' // charges, breaks the connection
  | 'half' // charges, breaks the connection in the middle of the answer
  | 'garbage' // charges, answers 200 with something that is not an answer
  | 'late'; // never answers, and charges long after the sender gave up, unless the key was closed by then

type Weather = readonly (readonly [Fault, share: number])[];

const FAIR: Weather = [
  ['slow', 0.03],
  ['unavailable', 0.03],
  ['hang-before', 0.004],
  ['hang-after', 0.004],
  ['cut-before', 0.015],
  ['cut-after', 0.015],
  ['half', 0.01],
  ['garbage', 0.005],
];
/** For one order in 40: most requests fail, so that the attempts run out and somebody has to ask what became of the money. */
const FOUL: Weather = [
  ['unavailable', 0.35],
  ['cut-before', 0.15],
  ['cut-after', 0.1],
  ['half', 0.1],
  ['late', 0.06],
  ['hang-after', 0.04],
];
/** For one order in 1,000: no request gets an answer, and questions about it get none either. */
const DARK: Weather = [
  ['cut-before', 0.4],
  ['hang-after', 0.1],
  ['cut-after', 0.5],
];

/** The card's own answer. It does not change however often it is asked. */
export function cardIsDeclined(seed: number, order: string): boolean {
  return chance(seed, order, 'card') < 0.035;
}

/** `send` counts from 1: how often the server has been asked to charge this order. */
export function faultOfCharge(seed: number, order: string, send: number): Fault {
  const sky = chance(seed, order, 'sky');
  let left = chance(seed, order, `send ${send}`);
  for (const [fault, share] of sky < 0.001 ? DARK : sky < 0.026 ? FOUL : FAIR) {
    left -= share;
    if (left < 0) return fault;
  }
  return 'none';
}

/** Whether a question about an order's charge, or the wish to close its key, is cut off without an answer. */
export function questionIsCut(seed: number, order: string, question: number): boolean {
  return chance(seed, order, 'sky') < 0.001 || chance(seed, order, `question ${question}`) < 0.1;
}
