/** Which policy a program has: few, small numbers, so that things happen at one moment, and limits are reached. */
import {
  breaker,
  budget,
  bulkhead,
  constant,
  exponential,
  policy,
  retry,
  timeout,
  type Breaker,
  type Budget,
  type Bulkhead,
  type Policy,
  type Waiting,
} from '../../src/index.ts';
import type { Random } from '../fuzz/random.ts';

interface TimeoutPlan {
  readonly ms: number;
  readonly grace: number;
  readonly detach: boolean;
}

interface RetryPlan {
  readonly attempts: number;
  readonly delayMs: number;
  readonly jitter: boolean;
  readonly idempotent: boolean | undefined;
  /** Tokens that its budget begins with; `null` for no budget. */
  readonly tokens: number | null;
  readonly trickle: number;
  readonly maxElapsed: number;
  /** Refusals are retried. */
  readonly refusals: boolean;
}

interface BreakerPlan {
  readonly failures: number;
  readonly cooldown: number;
  readonly probes: number;
  readonly probeLease: number;
}

interface BulkheadPlan {
  readonly limit: number;
  readonly queue: number;
  readonly maxWait: number;
  /** How many priorities there are; 0: it is given no function, and nobody knows who came first. */
  readonly levels: number;
}

export interface Plan {
  readonly timeout: TimeoutPlan | undefined;
  readonly retry: RetryPlan | undefined;
  readonly breaker: BreakerPlan | undefined;
  readonly bulkhead: BulkheadPlan | undefined;
  readonly attemptTimeout: TimeoutPlan | undefined;
  /** Outermost first. */
  readonly order: readonly LayerName[];
  /** One state machine does it: the order is the usual one. */
  readonly flat: boolean;
}

export type LayerName = 'timeout' | 'retry' | 'breaker' | 'bulkhead' | 'attemptTimeout';

export const RATIO = 0.5;
export const CAP = 1000;

const TIMES = [5, 10, 20, 40, 80] as const;

export function somePlan(random: Random): Plan {
  const plan = {
    timeout: random.chance(0.4) ? someTimeout(random) : undefined,
    retry: random.chance(0.8) ? someRetry(random) : undefined,
    breaker: random.chance(0.5) ? someBreaker(random) : undefined,
    bulkhead: random.chance(0.7) ? someBulkhead(random) : undefined,
    attemptTimeout: random.chance(0.4) ? someTimeout(random) : undefined,
  };
  const usual: LayerName[] = random.chance(0.5)
    ? ['timeout', 'retry', 'breaker', 'bulkhead', 'attemptTimeout']
    : ['timeout', 'retry', 'bulkhead', 'breaker', 'attemptTimeout'];
  const flat = random.chance(0.8);
  const order = (flat ? usual : shuffled(random, usual)).filter((name) => plan[name] !== undefined);
  return { ...plan, order, flat };
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const left = [...list];
  return list.map(() => left.splice(random.below(left.length), 1)[0] as T);
}

function someTimeout(random: Random): TimeoutPlan {
  return { ms: random.pick(TIMES), grace: random.pick([0, 0, 5, 20, Infinity]), detach: random.chance(0.2) };
}

function someRetry(random: Random): RetryPlan {
  return {
    attempts: 1 + random.below(4),
    delayMs: random.pick([0, 0, 5, 10]),
    jitter: random.chance(0.2),
    idempotent: random.pick([true, true, false]),
    tokens: random.chance(0.3) ? null : random.below(6),
    trickle: random.pick([0, 0, 20]),
    maxElapsed: random.pick([Infinity, Infinity, 20]),
    refusals: random.chance(0.3),
  };
}

function someBreaker(random: Random): BreakerPlan {
  return {
    failures: 1 + random.below(3),
    cooldown: random.pick([0, 5, 10, 40]),
    probes: 1 + random.below(2),
    probeLease: random.pick([10, Infinity, Infinity]),
  };
}

function someBulkhead(random: Random): BulkheadPlan {
  return {
    limit: 1 + random.below(3),
    queue: random.pick([0, 1, 2, 5, 5]),
    maxWait: random.pick([Infinity, Infinity, 10]),
    levels: random.below(4),
  };
}

/** The policy of a plan, and what it is made of. */
export interface Made {
  readonly policy: Pick<Policy, 'run' | 'settle'>;
  readonly breaker: Breaker | undefined;
  readonly bulkhead: Bulkhead | undefined;
  readonly budget: Budget | undefined;
}

/** Makes the policy of a plan. `priority` is told of who is about to queue. */
export type Make = (plan: Plan, priority: (call: Waiting) => number) => Made;

export const make: Make = (plan, priority) => {
  const ofBudget = plan.retry?.tokens == null ? undefined : plan.retry;
  const made = {
    breaker: plan.breaker && breaker(plan.breaker),
    bulkhead:
      plan.bulkhead &&
      bulkhead({
        limit: plan.bulkhead.limit,
        queue: plan.bulkhead.queue,
        maxWait: plan.bulkhead.maxWait,
        priority: plan.bulkhead.levels > 0 ? priority : undefined,
      }),
    budget: ofBudget && budget({ initial: ofBudget.tokens!, cap: CAP, ratio: RATIO, trickle: ofBudget.trickle }),
  };
  const layers = {
    timeout: (): Policy => timeout(plan.timeout!.ms, rest(plan.timeout!)),
    retry: (): Policy => someRetryLayer(plan.retry!, made.budget),
    breaker: (): Policy => made.breaker!,
    bulkhead: (): Policy => made.bulkhead!,
    attemptTimeout: (): Policy => timeout(plan.attemptTimeout!.ms, rest(plan.attemptTimeout!)),
  };
  return { ...made, policy: policy(...plan.order.map((name) => layers[name]())) };
};

function rest({ grace, detach }: TimeoutPlan): { grace: number; detach: boolean } {
  return { grace, detach };
}

function someRetryLayer(plan: RetryPlan, shared: Budget | undefined): Policy {
  const { attempts, delayMs, jitter, idempotent, maxElapsed, refusals } = plan;
  return retry({
    attempts,
    backoff: jitter ? exponential(delayMs + 1) : constant(delayMs),
    idempotent,
    maxElapsed,
    minAttemptTime: 0,
    budget: shared ?? false,
    retryIf: refusals ? (error) => (isRefusal(error) ? true : undefined) : undefined,
  });
}

/** Of a layer: it let nothing run. */
export function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'CIRCUIT_OPEN' || code === 'BULKHEAD_FULL';
}
