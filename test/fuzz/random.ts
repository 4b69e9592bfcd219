/**
 * The fuzzer's own seeded randomness, so that neither the generator nor the reference interpreter leans on the code under test.
 *
 * A seed is any text (a commit hash, a date, a word). Program `index` of a seed has a generator of its own, derived from both, so that
 * `--only INDEX` replays it without making the ones before it.
 */

/** FNV-1a over UTF-16 units, with a final avalanche (murmur3's), since FNV alone leaves neighbours alike. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** mulberry32: 32 bits of state are enough for programs of some hundred draws, and it is the fastest that passes. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  static of(seed: string, index: number): Random {
    return new Random(hash(`${seed}/${index}`));
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}
