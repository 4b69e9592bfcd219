/** Random numbers that a seed brings back. */
import { checkOption, rangeOf } from './option.ts';

/**
 * A stream of numbers in [0, 1) that is the same for the same seed. Streams of different seeds, or of different names under
 * one seed, are independent: give each part of a program its own, and one part may draw more without changing the others.
 *
 * The generator is sfc32 of PractRand (Chris Doty-Humphrey); the seed text is spread over its state by FNV-1a, each word with a
 * multiplier of its own (FNV's prime, and two of MurmurHash3), so that texts that collide in one word differ in the others.
 * It is for tests and simulations, not for secrets.
 *
 * @example
 * const random = seededRandom(7);
 * random() === seededRandom(7)();          // true
 * seededRandom(7, 'faults')() === random(); // false
 */
export function seededRandom(seed: number | string, stream = ''): () => number {
  checkOption(typeof seed === 'string' || Number.isFinite(seed), 'seed', seed, 'a number or a text', rangeOf(seed));
  // The length says where the name ends: seed 'a', stream 'b/c' is not seed 'a/b', stream 'c'.
  const text = `${stream.length}/${stream}/${seed}`;
  let a = hash(text, 0x01000193);
  let b = hash(text, 0x85ebca6b);
  let c = hash(text, 0xc2b2ae35);
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first numbers still show how the state was made.
  for (let i = 0; i < 12; i++) next();
  return next;
}

function hash(text: string, multiplier: number): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), multiplier);
  return value | 0;
}
