/**
 * Every state that the cells can come to in so many events, breadth first, and every event in each of them.
 *
 * The alphabet of a world is what its `moves` gives: what three clients can do, time (one step), a restart through a saved snapshot,
 * another clock, and for the breaker `isolate` and `reset`. The hash of a state is its snapshot, which is all that a cell decides by,
 * and what the clients hold: for the breaker which tickets still count, and how old a probe is; for the bulkhead how many work and
 * wait, and how long the interval lasts that is being measured; for the budget its tokens, and what the retries may still come to; for
 * the rate limit what is used, and what those weigh who wait.
 * Clients have no names: states that differ only in who is who are one.
 *
 * That the hash forgets nothing that matters is tried too: where a state is reached again by another way, what can follow is compared
 * with what can follow after the first way.
 *
 * A state is kept as the way to it, and made again by playing that: cells cannot be copied, and need not.
 */
import type { BreakerSettings } from '../../src/policy/breaker/cell.ts';
import { AdaptiveWorld } from './adaptive.ts';
import { BreakerWorld } from './breaker.ts';
import { BudgetWorld } from './budget.ts';
import { BulkheadWorld } from './bulkhead.ts';
import { RateLimitWorld } from './rate-limit.ts';
import { broken, type World } from './world.ts';

const CLIENTS = 3;

export const BREAKER: BreakerSettings = {
  failures: null,
  ratio: null,
  windowMs: null,
  lastCalls: null,
  minCalls: 2,
  slow: null,
  cooldownMs: (opens) => opens,
  probes: 1,
  probeLeaseMs: 2,
};

/** What is enumerated: a time step is 1 ms, of the budget 250 ms. */
export const SUBJECTS: Readonly<Record<string, () => World>> = {
  'breaker: 2 failures in a row, 1 probe': () => new BreakerWorld({ ...BREAKER, failures: 2 }, CLIENTS),
  'breaker: 1 failure, 2 probes': () => new BreakerWorld({ ...BREAKER, failures: 1, probes: 2 }, CLIENTS),
  'breaker: half of the last 3 calls': () => new BreakerWorld({ ...BREAKER, ratio: 0.5, lastCalls: 3 }, CLIENTS),
  'breaker: half of the last 2 calls slow': () =>
    new BreakerWorld({ ...BREAKER, slow: { overMs: 10, ratio: 0.5 }, lastCalls: 2 }, CLIENTS),
  'breaker: 2 failures in a row, or all of the last 4 calls, 3 probes': () =>
    new BreakerWorld({ ...BREAKER, failures: 2, ratio: 1, lastCalls: 4, minCalls: 4, probes: 3 }, CLIENTS),
  'breaker: half of the calls of 10 ms': () => new BreakerWorld({ ...BREAKER, ratio: 0.5, windowMs: 10 }, CLIENTS),
  'bulkhead: 1 permit, 2 places': () => new BulkheadWorld({ limit: 1, queue: 2 }, CLIENTS),
  'bulkhead: 2 permits, 1 place': () => new BulkheadWorld({ limit: 2, queue: 1 }, CLIENTS),
  'bulkhead: 1 permit, no queue': () => new BulkheadWorld({ limit: 1, queue: 0 }, CLIENTS),
  budget: () => new BudgetWorld({ ratio: 0.2, initial: 1, cap: 3, trickle: 1 }, CLIENTS),
  'rateLimit: 2 in 7 ms, 3 at once, nobody waits': () =>
    new RateLimitWorld({ limit: 2, perMs: 7, burst: 3 }, 0, CLIENTS),
  'rateLimit: 1 in 2 ms, 3 at once, wait 6 ms': () => new RateLimitWorld({ limit: 1, perMs: 2, burst: 3 }, 6, CLIENTS),
  'rateLimit: 3 in 4 ms, 2 at once, wait for ever': () =>
    new RateLimitWorld({ limit: 3, perMs: 4, burst: 2 }, Infinity, CLIENTS),
  'adaptive: vegas from 6, 1 to 12': () =>
    new AdaptiveWorld({ algorithm: 'vegas', initial: 6, min: 1, max: 12, windowMs: 50, overMs: 0 }),
  'adaptive: aimd from 10, 2 to 12': () =>
    new AdaptiveWorld({ algorithm: 'aimd', initial: 10, min: 2, max: 12, windowMs: 50, overMs: 20 }),
};

export interface Enumerated {
  readonly states: number;
  readonly events: number;
}

interface State {
  readonly before: State | undefined;
  readonly move: string;
}

/** @throws with the events that lead to it, if a world is broken */
export function enumerate(make: () => World, depth: number): Enumerated {
  const first: State = { before: undefined, move: '' };
  const seen = new Map<string, State>([[make().hash(), first]]);
  let events = 0;
  let level = [first];
  for (let length = 0; length < depth; length++) {
    const next: State[] = [];
    for (const state of level) {
      for (const move of movesAt(make, state)) {
        const then = { before: state, move };
        const hash = hashAt(make, then);
        events++;
        const known = seen.get(hash);
        if (known === undefined) {
          seen.set(hash, then);
          next.push(then);
        } else sameSuccessors(make, known, then);
      }
    }
    level = next;
  }
  return { states: seen.size, events };
}

function sameSuccessors(make: () => World, one: State, other: State): void {
  const successors = (state: State): string =>
    movesAt(make, state)
      .map((move) => `${move.replace(/ \d/, '')} → ${hashAt(make, { before: state, move })}`)
      .sort()
      .join('\n');
  if (successors(one) === successors(other)) return;
  broken(`one hash, but not one future:\n  ${wayTo(one).join(', ')}\n  ${wayTo(other).join(', ')}`);
}

const movesAt = (make: () => World, state: State): readonly string[] => at(make, state, (world) => world.moves());
const hashAt = (make: () => World, state: State): string => at(make, state, (world) => world.hash());

function at<T>(make: () => World, state: State, look: (world: World) => T): T {
  const way = wayTo(state);
  const world = make();
  try {
    for (const move of way) world.play(move);
    return look(world);
  } catch (error) {
    throw new Error(`after ${way.join(', ')}: ${String(error)}`, { cause: error });
  }
}

function wayTo(state: State): string[] {
  const way: string[] = [];
  for (let it = state; it.before !== undefined; it = it.before) way.push(it.move);
  return way.reverse();
}
