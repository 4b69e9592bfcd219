/**
 * The cells in `npm test`: every state in few events, and 300,000 random ones; and both are able to fail: cells that break one rule are found.
 * The seed is HOLDFAST_SEED, or the same one every day; longer runs: `node test/cells/main.ts`.
 */
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { BudgetCell } from '../../src/budget/cell.ts';
import { BreakerCell, type Effect } from '../../src/policy/breaker/cell.ts';
import { AdaptiveCell } from '../../src/policy/bulkhead/adaptive.ts';
import { BulkheadCell } from '../../src/policy/bulkhead/cell.ts';
import { LatencyCell } from '../../src/policy/hedge/cell.ts';
import { RateLimitCell } from '../../src/policy/rate-limit/cell.ts';
import { someBackoff } from './backoff.ts';
import { BreakerWorld } from './breaker.ts';
import { BudgetWorld } from './budget.ts';
import { BulkheadWorld } from './bulkhead.ts';
import { BREAKER, enumerate, SUBJECTS } from './enumerate.ts';
import { EPISODE, fuzz, replay, type Makers } from './fuzz.ts';
import { RateLimitWorld } from './rate-limit.ts';

const SEED = process.env['HOLDFAST_SEED'] ?? 'holdfast';
const DEPTH = 9;
const EVENTS = 300_000;

describe(`every state within ${DEPTH} events keeps the rules`, () => {
  test.each(Object.entries(SUBJECTS))('%s', { timeout: 60_000 }, (_, make) => {
    const { states } = enumerate(make, DEPTH);
    expect(states).toBeGreaterThan(DEPTH);
  });
});

test(`the cells keep the rules in ${EVENTS} random events (seed ${SEED})`, { timeout: 60_000 }, () => {
  const finding = fuzz({ seed: SEED, events: EVENTS });
  if (finding) expect.fail(`event ${finding.event}: ${finding.message}\n${replay(SEED, finding)}`);
});

/** Each breaks one rule. */
const BROKEN: Record<string, Makers> = {
  'P3.5: a delay above the cap': {
    backoff: (random) => {
      const it = someBackoff(random);
      return { ...it, backoff: (...args) => 1.001 * it.backoff(...args) };
    },
  },
  'P3.5: no jitter': {
    backoff: (random) => {
      const it = someBackoff(random);
      return { ...it, backoff: (attempt, previousMs) => it.backoff(attempt, previousMs, 1) };
    },
  },
  'P3.5: an attempt too many is counted': {
    backoff: (random) => {
      const it = someBackoff(random);
      return { ...it, backoff: (attempt, previousMs, at) => it.backoff(attempt + 1, previousMs, at) };
    },
  },
  'P4: twice the deposit': { budget: (it) => new BudgetCell({ ...it, ratio: 2 * it.ratio }) },
  'P4: a higher cap': { budget: (it) => new BudgetCell({ ...it, cap: it.cap + 1 }) },
  'P4: no trickle': { budget: (it) => new BudgetCell({ ...it, trickle: 0 }) },
  'P4: a token to begin with': { budget: (it) => new BudgetCell({ ...it, initial: it.initial + 1 }) },
  'P4: nothing is given back': {
    budget: (it) =>
      new (class extends BudgetCell {
        override giveBack(): void {}
      })(it),
  },
  'P4: a restart fills it': {
    budget: (it) =>
      new (class extends BudgetCell {
        override restore(): void {}
      })(it),
  },
  'P6.1: one call too few': { breaker: (it) => new BreakerCell({ ...it, minCalls: it.minCalls - 1 }) },
  'P6.1: one failure too many': {
    breaker: (it) => new BreakerCell({ ...it, failures: it.failures === null ? null : it.failures + 1 }),
  },
  'P6.1: a longer window': {
    breaker: (it) => new BreakerCell({ ...it, windowMs: it.windowMs === null ? null : 1.1 * it.windowMs }),
  },
  'P6.1: a shorter window': {
    breaker: (it) => new BreakerCell({ ...it, windowMs: it.windowMs === null ? null : 0.9 * it.windowMs }),
  },
  'P6.1: one call too many is remembered': {
    breaker: (it) => new BreakerCell({ ...it, lastCalls: it.lastCalls === null ? null : it.lastCalls + 1 }),
  },
  'P6.1: what takes exactly that long is slow': {
    breaker: (it) => new BreakerCell({ ...it, slow: it.slow && { ...it.slow, overMs: 99 } }),
  },
  'P6.2: openings are counted from 0': {
    breaker: (it) => new BreakerCell({ ...it, cooldownMs: (opens) => it.cooldownMs(opens - 1) }),
  },
  'P6.3: one probe too many': { breaker: (it) => new BreakerCell({ ...it, probes: it.probes + 1 }) },
  'P6.3: a lease without end': { breaker: (it) => new BreakerCell({ ...it, probeLeaseMs: Infinity }) },
  'P6.4: isolating does nothing': {
    breaker: (it) =>
      new (class extends BreakerCell {
        override isolate(): void {}
      })(it),
  },
  'P6.5: every result counts': {
    breaker: (it) =>
      new (class extends BreakerCell {
        override settle(_ticket: number, effect: Effect, now: () => number, durationMs: number): boolean {
          return super.settle(super.admit(now), effect, now, durationMs);
        }
      })(it),
  },
  'P6.6: a neither is a success': {
    breaker: (it) =>
      new (class extends BreakerCell {
        override settle(ticket: number, effect: Effect, now: () => number, durationMs: number): boolean {
          return super.settle(ticket, effect === 'neither' ? 'success' : effect, now, durationMs);
        }
      })(it),
  },
  'P6: a restart closes it': {
    breaker: (it) =>
      new (class extends BreakerCell {
        override restore(): void {}
      })(it),
  },
  'P7.1: one permit too many': { bulkhead: (it) => new BulkheadCell({ ...it, limit: it.limit + 1 }) },
  'P7.1: one place too many': { bulkhead: (it) => new BulkheadCell({ ...it, queue: it.queue + 1 }) },
  'P7.3: a permit becomes free beside a waiter': {
    bulkhead: (it) =>
      new (class extends BulkheadCell {
        override leave(): boolean {
          this.inFlight--;
          return false;
        }
      })(it),
  },
  'P7.4: who gives up keeps its place': {
    bulkhead: (it) =>
      new (class extends BulkheadCell {
        override abandonPlace(): void {}
      })(it),
  },
  'P7.5: a place too much is counted': {
    bulkhead: (it) =>
      new (class extends BulkheadCell {
        override expectedWaitMs(place: number): number {
          return super.expectedWaitMs(place + 1);
        }
      })(it),
  },
  'P7.5: an interval without waiters is counted': {
    bulkhead: (it) =>
      new (class extends BulkheadCell {
        override abandonPlace(): void {
          // The one in hand-over: the queue is kept from being seen as empty.
          this.waiting--;
        }
      })(it),
  },
  'P7.5: a restart forgets': {
    bulkhead: (it) =>
      new (class extends BulkheadCell {
        override restore(): void {}
      })(it),
  },
  'P7.7: a longer window': { adaptive: (it) => new AdaptiveCell({ ...it, windowMs: it.windowMs + 1 }) },
  'P7.7: what nobody knows the time of counts': {
    adaptive: (it) =>
      new (class extends AdaptiveCell {
        override ended(ms: number, dropped: boolean, inFlight: number, nowMs: number, random: () => number): boolean {
          return super.ended(Math.max(0, ms), dropped, inFlight, nowMs, random);
        }
      })(it),
  },
  'P7.8: nothing is dropped': {
    adaptive: (it) =>
      new (class extends AdaptiveCell {
        override ended(ms: number, _dropped: boolean, inFlight: number, nowMs: number, random: () => number): boolean {
          return super.ended(ms, false, inFlight, nowMs, random);
        }
      })(it),
  },
  'P7.8: one fewer in flight': {
    adaptive: (it) =>
      new (class extends AdaptiveCell {
        override ended(ms: number, dropped: boolean, inFlight: number, nowMs: number, random: () => number): boolean {
          return super.ended(ms, dropped, inFlight - 1, nowMs, random);
        }
      })(it),
  },
  'P7.9: slower is in time': { adaptive: (it) => new AdaptiveCell({ ...it, overMs: 2 * it.overMs }) },
  'P7.6: a higher most': { adaptive: (it) => new AdaptiveCell({ ...it, max: it.max + 1 }) },
  'P7.6: a lower least': { adaptive: (it) => new AdaptiveCell({ ...it, min: it.min - 1 }) },
  'P7.10: base is asked for sooner': {
    adaptive: (it) =>
      new (class extends AdaptiveCell {
        override ended(ms: number, dropped: boolean, inFlight: number, nowMs: number): boolean {
          return super.ended(ms, dropped, inFlight, nowMs, () => 0);
        }
      })(it),
  },
  'P7.11: a restart forgets': {
    adaptive: (it) =>
      new (class extends AdaptiveCell {
        override restore(): void {}
      })(it),
  },
  'P10.1: one more at once': { rateLimit: (it) => new RateLimitCell({ ...it, burst: it.burst + 1 }) },
  'P10.1: a hundredth more in that time': { rateLimit: (it) => new RateLimitCell({ ...it, limit: 1.01 * it.limit }) },
  'P10.1: a hundredth less in that time': { rateLimit: (it) => new RateLimitCell({ ...it, limit: 0.99 * it.limit }) },
  'P10.2: what is not let in is used all the same': {
    rateLimit: (it) =>
      new (class extends RateLimitCell {
        override enter(weight: number, nowMs: number): number {
          const waitMs = super.enter(weight, nowMs);
          if (waitMs > 0) this.take(weight);
          return waitMs;
        }
      })(it),
  },
  'P10.3: a millisecond too early': {
    rateLimit: (it) =>
      new (class extends RateLimitCell {
        override enter(weight: number, nowMs: number): number {
          const waitMs = super.enter(weight, nowMs);
          return waitMs > 1 ? waitMs - 1 : waitMs;
        }
      })(it),
  },
  'P10.4: a light one overtakes': {
    rateLimit: (it) =>
      new (class extends RateLimitCell {
        override join(): void {
          this.waiting++;
        }
        override leave(): void {
          this.waiting--;
        }
      })(it),
  },
  'P10.5: who gives up keeps its place': {
    rateLimit: (it) =>
      new (class extends RateLimitCell {
        override leave(): void {
          this.waiting--;
        }
      })(it),
  },
  'P10.7: a restart forgets': {
    rateLimit: (it) =>
      new (class extends RateLimitCell {
        override restore(): void {}
      })(it),
  },
  'P11.8: a higher percentile': { latency: (percentile) => new LatencyCell(percentile + 0.5) },
  'P11.8: a coarser answer': {
    latency: (percentile) =>
      new (class extends LatencyCell {
        override valueMs(): number | undefined {
          const ms = super.valueMs();
          return ms && 1.02 * ms;
        }
      })(percentile),
  },
  'P11.8: one latency in a hundred is lost': {
    latency: (percentile) =>
      new (class extends LatencyCell {
        private came100 = 0;
        override record(latencyMs: number): void {
          if (++this.came100 % 100 > 0) super.record(latencyMs);
        }
      })(percentile),
  },
  'P11.8: a latency that nobody knows counts': {
    latency: (percentile) =>
      new (class extends LatencyCell {
        override record(latencyMs: number): void {
          super.record(Math.max(0, latencyMs || 0));
        }
      })(percentile),
  },
  'P11.8: a restart turns the window round': {
    latency: (percentile) =>
      new (class extends LatencyCell {
        override restore(snapshot: { latenciesMs: number[] }): void {
          super.restore({ version: 1, latenciesMs: snapshot.latenciesMs.toReversed() });
        }
      })(percentile),
  },
};

test.each(Object.entries(BROKEN))('the fuzz finds a cell that breaks a rule: %s', (_, makers) => {
  const finding = fuzz({ seed: SEED, events: EVENTS, makers });
  if (!finding) return expect.fail(`not found in ${EVENTS} events`);
  // The same again, alone.
  const from = finding.event - (finding.event % EPISODE);
  expect(fuzz({ seed: SEED, from, events: EPISODE, makers })).toEqual(finding);
});

test('the enumeration finds cells that break a rule', () => {
  const worlds = [
    () => new BreakerWorld({ ...BREAKER, failures: 1 }, 3, (it) => new BreakerCell({ ...it, probes: 2 })),
    () => new BulkheadWorld({ limit: 1, queue: 1 }, 3, (it) => new BulkheadCell({ ...it, queue: 2 })),
    () =>
      new BudgetWorld({ ratio: 1, initial: 1, cap: 2, trickle: 0 }, 3, (it) => new BudgetCell({ ...it, ratio: 1.1 })),
    () =>
      new RateLimitWorld(
        { limit: 1, perMs: 2, burst: 2 },
        0,
        3,
        (it) => new RateLimitCell({ ...it, burst: it.burst + 1 }),
      ),
  ];
  for (const make of worlds) expect(() => enumerate(make, DEPTH)).toThrow(/^after /);
});

test('the enumeration finds a hash that forgets something', () => {
  class Forgetful extends BulkheadWorld {
    override hash(): string {
      return String(this.clients.filter((client) => client === 'working').length);
    }
  }
  expect(() => enumerate(() => new Forgetful({ limit: 1, queue: 2 }, 3), DEPTH)).toThrow(
    'one hash, but not one future',
  );
});

test('each event is told of, if somebody wants to see them', () => {
  const events: string[] = [];
  fuzz({ seed: SEED, events: EPISODE, tell: (event) => events.push(event) });
  expect(new Set(events.map((event) => event.split(':')[0]))).toEqual(
    new Set(['breaker', 'bulkhead', 'budget', 'backoff', 'latency', 'rateLimit', 'adaptive']),
  );
});
