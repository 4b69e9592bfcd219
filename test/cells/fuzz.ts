/**
 * Random events through all seven cells, each beside its model, in episodes of 4000: an episode has worlds with settings of its own, and
 * a stream of random numbers that comes from the seed and its index, so that any of them can be played alone.
 *
 * Times are whole milliseconds, and settings have few decimals: so models are exact, and what differs is a fault. Not covered:
 * fractions of a millisecond and hostile snapshots, which the unit tests have, and settings that a layer refuses.
 */
import type { BudgetCell, BudgetSettings } from '../../src/budget/cell.ts';
import type { BreakerCell, BreakerSettings, Effect } from '../../src/policy/breaker/cell.ts';
import type { AdaptiveCell, AdaptiveSettings } from '../../src/policy/bulkhead/adaptive.ts';
import type { BulkheadCell, BulkheadSettings } from '../../src/policy/bulkhead/cell.ts';
import type { LatencyCell } from '../../src/policy/hedge/cell.ts';
import type { RateLimitCell, RateLimitSettings } from '../../src/policy/rate-limit/cell.ts';
import { Random } from '../fuzz/random.ts';
import { AdaptiveWorld } from './adaptive.ts';
import { BackoffWorld, someBackoff, type BackoffCase } from './backoff.ts';
import { BreakerWorld } from './breaker.ts';
import { BudgetWorld } from './budget.ts';
import { BulkheadWorld } from './bulkhead.ts';
import { LatencyWorld } from './latency.ts';
import { RateLimitWorld } from './rate-limit.ts';

export const EPISODE = 4000;

/** Who makes the cells: others than ours, to see that the fuzz notices. */
export interface Makers {
  readonly breaker?: (settings: BreakerSettings) => BreakerCell;
  readonly bulkhead?: (settings: BulkheadSettings) => BulkheadCell;
  readonly budget?: (settings: BudgetSettings) => BudgetCell;
  readonly backoff?: (random: Random) => BackoffCase;
  readonly latency?: (percentile: number) => LatencyCell;
  readonly adaptive?: (settings: AdaptiveSettings) => AdaptiveCell;
  readonly rateLimit?: (settings: RateLimitSettings) => RateLimitCell;
}

export interface FuzzOptions {
  readonly seed: string;
  /** The first event; the episode that it is in is played from its beginning. */
  readonly from?: number;
  readonly events: number;
  readonly makers?: Makers;
  /** Told of each event. */
  readonly tell?: ((event: string) => void) | undefined;
}

export interface Finding {
  readonly event: number;
  readonly message: string;
}

/** @returns the first event after which a cell is not as it should be */
export function fuzz({ seed, from = 0, events, makers = {}, tell }: FuzzOptions): Finding | undefined {
  const end = from + events;
  for (let index = Math.floor(from / EPISODE); index * EPISODE < end; index++) {
    let episode: Episode | undefined;
    const first = index * EPISODE;
    const last = Math.min(end, first + EPISODE);
    for (let event = first; event < last; event++) {
      try {
        episode ??= new Episode(Random.of(seed, index), makers, tell);
        episode.next();
      } catch (error) {
        return { event, message: String(error) };
      }
    }
  }
  return undefined;
}

export function replay(seed: string, { event }: Finding): string {
  const from = event - (event % EPISODE);
  return `node test/cells/main.ts --seed ${seed} --from ${from} --events ${event - from + 1} --trace`;
}

class Episode {
  private readonly random: Random;
  private readonly breaker: BreakerWorld;
  private readonly bulkhead: BulkheadWorld;
  private readonly budget: BudgetWorld;
  private readonly backoff: BackoffWorld;
  private readonly latency: LatencyWorld;
  private readonly rateLimit: RateLimitWorld;
  private readonly adaptive: AdaptiveWorld;
  /** What calls of the adaptive limit take at least. */
  private scaleMs = 1;
  /** Of a hundred of them: how many are dropped. */
  private dropped = 0;
  private readonly rate: RateLimitSettings;
  /** Of a hundred calls of the breaker: how many fail. */
  private readonly failing: number;
  private readonly slow: number;
  /** Of a hundred waiters that are drawn: how many give up. */
  private readonly impatient: number;
  /** How many clients of the bulkhead come: a crowd, or too few to fill it, by turns. */
  private crowd = 1;
  /** How long time stands still. */
  private readonly tickMs: number;

  constructor(random: Random, makers: Makers, tell: FuzzOptions['tell']) {
    this.random = random;
    const bulkhead = someBulkhead(random);
    this.breaker = new BreakerWorld(someBreaker(random), 6, makers.breaker);
    this.bulkhead = new BulkheadWorld(bulkhead, 2 * (bulkhead.limit + bulkhead.queue) + 1, makers.bulkhead);
    this.budget = new BudgetWorld(someBudget(random), 4, makers.budget);
    this.backoff = new BackoffWorld(random, makers.backoff ?? someBackoff);
    this.latency = new LatencyWorld(
      random.chance(0.3) ? 1 + random.below(985) / 10 : random.pick([50, 95, 99, 99.5]),
      makers.latency,
    );
    this.rate = someRateLimit(random);
    this.rateLimit = new RateLimitWorld(this.rate, random.pick([0, 20, 200, Infinity]), 8, makers.rateLimit);
    this.adaptive = new AdaptiveWorld(someAdaptive(random), makers.adaptive);
    // Half of the episodes are healthy: a breaker that opens forgets what it had counted.
    this.failing = random.below(random.chance(0.5) ? 15 : 101);
    this.slow = random.below(101);
    this.impatient = random.below(50);
    this.tickMs = 1 + random.below(30);
    if (!tell) return;
    const { breaker, budget, backoff, latency, rateLimit, adaptive } = this;
    const worlds = { breaker, bulkhead: this.bulkhead, budget, backoff, latency, rateLimit, adaptive };
    for (const [name, world] of Object.entries(worlds)) world.tell = (event) => tell(`${name}: ${event}`);
  }

  next(): void {
    const { random } = this;
    const pick = random.below(7);
    if (pick === 0) this.breakerEvent(random.below(400));
    else if (pick === 1) this.bulkheadEvent(random.below(400));
    else if (pick === 2) this.budgetEvent(random.below(400));
    else if (pick === 3) this.latencyEvent(random.below(100));
    else if (pick === 4) this.rateLimitEvent(random.below(400));
    else if (pick === 5) this.adaptiveEvent(random.below(100));
    else if (random.chance(0.1)) this.backoff.succeed();
    else this.backoff.fail(random.chance(0.05) ? random.below(10_000) : 0, random.next());
  }

  private breakerEvent(draw: number): void {
    const { breaker, random } = this;
    if (draw === 0) breaker.restart();
    else if (draw === 1) breaker.swapClock();
    else if (draw === 2 && random.chance(0.3)) breaker.isolate();
    else if (draw < 6) breaker.reset();
    else if (draw < 10) breaker.tick(random.below(400));
    else if (draw < 30) breaker.look();
    else if (draw < 100) breaker.tick(random.below(this.tickMs));
    else {
      const client = random.below(breaker.clients.length);
      if (breaker.clients[client] === undefined) breaker.admit(client);
      else breaker.settle(client, this.effect(), random.below(100) < this.slow ? 101 : 100);
    }
  }

  private effect(): Effect {
    if (this.random.below(10) === 0) return 'neither';
    return this.random.below(100) < this.failing ? 'failure' : 'success';
  }

  private bulkheadEvent(draw: number): void {
    const { bulkhead, random } = this;
    if (draw === 0) bulkhead.restart();
    else if (draw === 1) bulkhead.swapClock();
    else if (draw === 2) this.crowd = 1 + random.below(bulkhead.clients.length);
    else if (draw < 40) bulkhead.look();
    else if (draw < 100) bulkhead.tick(random.below(this.tickMs));
    else {
      const client = random.below(random.chance(0.1) ? bulkhead.clients.length : this.crowd);
      const doing = bulkhead.clients[client];
      if (doing === 'idle' && client >= this.crowd) return;
      if (doing === 'idle') bulkhead.enter(client);
      else if (doing === 'working') bulkhead.leave(client);
      else if (random.below(100) < this.impatient) bulkhead.abandon(client);
    }
  }

  private adaptiveEvent(draw: number): void {
    const { adaptive, random } = this;
    if (draw === 0) adaptive.restart();
    else if (draw === 1) adaptive.swapClock();
    else if (draw < 8) {
      this.scaleMs = random.chance(0.1) ? 0 : 2 ** random.below(6);
      this.dropped = random.pick([0, 0, 0, 5, 10, 100]);
    } else {
      // What ends together: mostly alike, now and then of an unknown time.
      const spread = random.pick([1, 1, 2, 10]);
      const used = random.pick([0.4, 0.6, 1, 1.1]);
      for (let left = 1 + random.below(12); left > 0; left--) {
        const ms = random.chance(0.01) ? -1 : this.scaleMs * (1 + random.below(spread));
        const inFlight = Math.ceil(used * adaptive.limit);
        adaptive.end(ms, random.below(100) < this.dropped, inFlight, random.below(8) / 8);
        adaptive.tick(random.below(20));
      }
    }
  }

  private rateLimitEvent(draw: number): void {
    const { rateLimit, random, rate } = this;
    if (draw === 0) rateLimit.restart();
    else if (draw === 1) rateLimit.swapClock();
    else if (draw < 10) rateLimit.tick(random.below(10 * rate.perMs));
    else if (draw < 30) rateLimit.look();
    else if (draw < 150) rateLimit.tick(random.below(this.tickMs));
    else if (random.below(100) >= this.impatient) rateLimit.enter(random.below(rate.burst + 1));
    else if (rateLimit.queue.length > 0) rateLimit.leave(random.below(rateLimit.queue.length));
  }

  private latencyEvent(draw: number): void {
    const { latency, random } = this;
    if (draw === 0) latency.restart();
    else if (draw === 1) latency.swapClock();
    else if (draw < 10) latency.look();
    else {
      // What comes together is of a kind: from 0.01 ms to three hours, and spread by a factor of up to a thousand.
      const scale = 10 ** (9 * random.next() - 2);
      const spread = 3 * random.next();
      latency.record(1 + random.below(20), () => (random.chance(0.01) ? 0 : scale * 10 ** (spread * random.next())));
    }
  }

  private budgetEvent(draw: number): void {
    const { budget, random } = this;
    if (draw === 0) budget.restart();
    else if (draw === 1) budget.swapClock();
    else if (draw < 10) budget.look();
    else if (draw < 80) budget.tick(random.below(10 * this.tickMs));
    else if (draw < 200) budget.deposit();
    else {
      const client = random.below(budget.clients.length);
      if (budget.clients[client] === 'idle') budget.withdraw(client);
      else if (random.chance(0.3)) budget.giveBack(client);
      else budget.ran(client);
    }
  }
}

function someBreaker(random: Random): BreakerSettings {
  const kind = random.below(4);
  const lastCalls = kind === 1 ? 1 + random.below(20) : null;
  const base = random.pick([0, 1, 10, 50, Infinity]);
  const grows = random.chance(0.5);
  return {
    failures: kind === 0 || random.chance(0.2) ? 1 + random.below(5) : null,
    ratio: kind > 0 ? random.pick([0.07, 0.1, 0.3, 0.5, 0.7, 1]) : null,
    windowMs: kind > 1 ? 10 * (1 + random.below(30)) : null,
    lastCalls,
    minCalls: 1 + random.below(lastCalls ?? 10),
    slow: kind > 0 && random.chance(0.5) ? { overMs: 100, ratio: random.pick([0.2, 0.5, 1]) } : null,
    cooldownMs: (opens) => (grows ? base * opens : base),
    probes: 1 + random.below(3),
    probeLeaseMs: random.pick([1, 10, 40, Infinity]),
  };
}

function someBulkhead(random: Random): BulkheadSettings {
  return { limit: random.chance(0.2) ? 10 + random.below(10) : 1 + random.below(4), queue: random.below(7) };
}

function someAdaptive(random: Random): AdaptiveSettings {
  const min = 1 + random.below(3);
  const max = random.pick([min, min + 5, 40, 130, 1200, Infinity]);
  return {
    algorithm: random.chance(0.7) ? 'vegas' : 'aimd',
    initial: random.pick([min, min, Math.min(max, 20), Math.min(max, 1100)]),
    min,
    max,
    windowMs: random.pick([1, 10, 100]),
    overMs: random.pick([5, 20, Infinity]),
  };
}

function someBudget(random: Random): BudgetSettings {
  const cap = 1 + random.below(10);
  return {
    cap,
    initial: random.below(cap + 1),
    ratio: random.pick([0, 0.001, 0.1, 0.2, 0.3, 0.7, 1, 2.5]),
    trickle: random.pick([0, 1, 2, 5]),
  };
}

function someRateLimit(random: Random): RateLimitSettings {
  return {
    limit: 1 + random.below(random.chance(0.3) ? 100 : 5),
    perMs: 1 + random.below(random.chance(0.3) ? 1000 : 30),
    burst: 1 + random.below(6),
  };
}
