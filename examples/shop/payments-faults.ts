/**
 * What goes wrong at the payment server, and when.
 *
 * Everything is decided by the seed, the key of the charge and how often the server has seen that key, never by the order in
 * which requests arrive.
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
/** For one key in 40: most requests fail, so that the attempts run out and somebody has to ask what became of the money. */
const FOUL: Weather = [
  ['unavailable', 0.35],
  ['cut-before', 0.15],
  ['cut-after', 0.1],
  ['half', 0.1],
  ['late', 0.06],
  ['hang-after', 0.04],
];
/** For one key in 1,000: no request gets an answer, and questions about the key get none either. */
const DARK: Weather = [
  ['cut-before', 0.4],
  ['hang-after', 0.1],
  ['cut-after', 0.5],
];

/** The card's own answer. It does not change however often it is asked. */
export function cardIsDeclined(seed: number, key: string): boolean {
  return chance(seed, key, 'card') < 0.035;
}

/** `send` counts from 1: how often the server has been asked to charge this key. */
export function faultOfCharge(seed: number, key: string, send: number): Fault {
  const sky = chance(seed, key, 'sky');
  let left = chance(seed, key, `send ${send}`);
  for (const [fault, share] of sky < 0.001 ? DARK : sky < 0.026 ? FOUL : FAIR) {
    left -= share;
    if (left < 0) return fault;
  }
  return 'none';
}

/** Whether a question about a key, or the wish to close it, is cut off without an answer. */
export function questionIsCut(seed: number, key: string, question: number): boolean {
  return chance(seed, key, 'sky') < 0.001 || chance(seed, key, `question ${question}`) < 0.1;
}
