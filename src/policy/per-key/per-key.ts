/**
 * `perKey`: a policy for each host, tenant or whatever else calls differ in.
 *
 * The entries are a list in the order of use: who is asked for goes to its end, so the least recently used one comes first. A new key that finds `max`
 * there evicts from the beginning. Who is not at rest goes to the end instead, as if used: it is in use. That is the second chance of the clock algorithm
 * (F. J. Corbató, A Paging Experiment with the Multics System, 1968), and it keeps searches short: whoever is skipped is not met again soon.
 *
 * A new key looks at `LOOKS` entries at most, so that it costs the same whatever is kept. If it finds too few at rest, one more is kept; each of the next
 * new keys looks on, and evicts all at rest that are too many. So with B policies that are not at rest no more than B × 8 ⁄ 7 are kept, if that is
 * more than `max`: a sweep over S entries lets at most S ⁄ 8 new ones in, and evicts everything else that is at rest.
 */
import { checkFunction, checkOption, checkOptions, Link, List, rangeOf } from '../../foundation/index.ts';
import { Policy } from '../run/policy.ts';
import { perKeyFull } from './events.ts';

/** See above. With fewer, more are kept when many are not at rest; with more, a new key costs more then. */
const LOOKS = 8;

/** Options of `perKey`. */
export interface PerKeyOptions {
  /** How many policies are kept [1000]. From 1; `Infinity` is allowed. More are kept only while they are not at rest. */
  readonly max?: number | undefined;
  /** For events ['per-key']. */
  readonly name?: string | undefined;
}

const OPTIONS = ['max', 'name'] as const;

class Entry<K, P> extends Link {
  readonly key: K;
  readonly policy: P;

  constructor(key: K, policy: P) {
    super();
    this.key = key;
    this.policy = policy;
  }
}

/** Policies by key. Made by `perKey`. Iterating over it gives keys and policies, the least recently used one first; that is no use of them. */
export class PerKey<K, P extends Policy<unknown>> implements Iterable<readonly [key: K, policy: P]> {
  readonly max: number;
  readonly name: string;
  private readonly make: (key: K) => P;
  private readonly byKey = new Map<K, Entry<K, P>>();
  /** The same entries, the least recently used one first. */
  private readonly byUse = new List();

  /** @internal */
  constructor(make: (key: K) => P, max: number, name: string) {
    this.make = make;
    this.max = max;
    this.name = name;
  }

  /** How many policies are kept. */
  get size(): number {
    return this.byKey.size;
  }

  /**
   * The policy of this key. It is made if there is none, and another one may be let go for it.
   *
   * Ask for each call anew: a policy that is held on to may have been let go meanwhile. It goes on working, but beside the one that others get then.
   *
   * @param key any value; equal as in a `Map`
   * @throws what the function throws that makes it; then nothing has changed
   */
  get(key: K): P {
    const known = this.byKey.get(key);
    if (known === undefined) return this.add(key);
    this.touch(known);
    return known.policy;
  }

  [Symbol.iterator](): ArrayIterator<readonly [key: K, policy: P]> {
    // Of how it is now: who looks at them may use them.
    const list: (readonly [key: K, policy: P])[] = [];
    for (let at = this.byUse.first; at !== null; at = at.next) {
      const { key, policy } = at as Entry<K, P>;
      list.push([key, policy]);
    }
    return list.values();
  }

  private add(key: K): P {
    const { byKey, byUse, max, name, make } = this;
    const policy = make(key);
    checkOption(policy instanceof Policy, 'perKey', policy, 'a function that gives a policy');
    const meanwhile = byKey.get(key); // it has asked for this key itself
    if (meanwhile !== undefined) return meanwhile.policy;
    policy.countCalls();
    this.makeRoom();
    const entry = new Entry(key, policy);
    byKey.set(key, entry);
    byUse.add(entry);
    if (byKey.size > max && perKeyFull.observed) perKeyFull.emit({ name, key, size: byKey.size, max });
    return policy;
  }

  private touch(entry: Entry<K, P>): void {
    if (entry.next === null) return; // it is the last one
    this.byUse.remove(entry);
    this.byUse.add(entry);
  }

  private makeRoom(): void {
    const { byKey, byUse, max } = this;
    for (let looks = Math.min(LOOKS, byKey.size); looks > 0 && byKey.size >= max; looks--) {
      const oldest = byUse.first as Entry<K, P>;
      if (oldest.policy.isAtRest) {
        byUse.remove(oldest);
        byKey.delete(oldest.key);
      } else {
        this.touch(oldest);
      }
    }
  }
}

/**
 * Keeps a policy for each key, such as a host or a tenant, so that each has a breaker, a bulkhead, a rate limit of its own.
 *
 * It keeps `max` of them. A new key lets go the least recently used one that is *at rest*, with what its breaker has counted and its budget holds. At
 * rest is who has no call under way, no permit or place in a queue taken, nothing of a rate limit used up, and whose breaker refuses nobody and probes
 * nothing. Nobody else is let go: if none of the eight least recently used ones is at rest, one more is kept, and the event `per-key:full` tells. So
 * at most `max` policies are kept, or a seventh more than are not at rest.
 *
 * Cost of a `get`: the same, however many are kept.
 *
 * @param make gives the policy of a key: a new one for each, else they share its state
 * @throws {TypeError | RangeError} code `BAD_OPTION`, when it is made
 * @example
 * const hosts = perKey((host: string) => policy(retry(), breaker({ name: host })), { max: 500 });
 * await hosts.get('a.example').run(() => 'hello'); // 'hello'
 * hosts.get('a.example') === hosts.get('a.example'); // true
 * hosts.size; // 1
 */
export function perKey<K, P extends Policy<unknown>>(make: (key: K) => P, options: PerKeyOptions = {}): PerKey<K, P> {
  checkFunction('perKey', make);
  checkOptions('perKey', OPTIONS, options);
  const { max = 1000, name = 'per-key' } = options;
  const isCount = max === Infinity || (Number.isSafeInteger(max) && max >= 1);
  checkOption(isCount, 'max', max, 'a whole number from 1, or Infinity', rangeOf(max));
  checkOption(typeof name === 'string', 'name', name, 'a string');
  return new PerKey(make, max, name);
}
