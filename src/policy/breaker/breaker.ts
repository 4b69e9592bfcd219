/** The layer `breaker`: its options, and what a call tells its cell. The states are in `cell`. */
import {
  checkFunction,
  checkOption,
  checkOptions,
  clock,
  durationOption,
  rangeOf,
  type Duration,
} from '../../foundation/index.ts';
import { refusePromise } from '../../scope/frame.ts';
import type { Classification } from '../../verdict/index.ts';
import type { Attempt } from '../run/attempt.ts';
import { effectOf, type Effect } from '../run/effect.ts';
import type { AttemptRecord } from '../run/history.ts';
import type { Gate } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';
import { BreakerCell, type BreakerSettings, type BreakerSnapshot, type BreakerState } from './cell.ts';
import { CircuitOpenError } from './circuit-open-error.ts';
import { breakerRefused, breakerTransition } from './events.ts';

/** What `judge` is told. Frozen. */
export interface BreakerOutcome {
  readonly ok: boolean;
  /** What the call failed with, or a result that `failWhen` judged a failure; `undefined` after a success. */
  readonly error: unknown;
  /** What `classify` says of the error. */
  readonly classification: Classification | undefined;
  /** What counts if `judge` answers `undefined`. */
  readonly effect: Effect;
}

/** Options of `breaker`. */
export interface BreakerOptions {
  /** Opens after so many failures in a row [5, if `ratio` is not given]. From 1. */
  readonly failures?: number | undefined;
  /** Opens when this share of the calls in `window`, or of the `lastCalls`, failed [not looked at]. Above 0, to 1. */
  readonly ratio?: number | undefined;
  /** Which calls `ratio` and `slow` look at: those of so long a time [none]. Above 0; counted in tenths of it. */
  readonly window?: Duration | undefined;
  /** Which calls `ratio` and `slow` look at: so many last ones [none]. From 1. */
  readonly lastCalls?: number | undefined;
  /** `ratio` and `slow` say nothing of fewer calls than this [20, or `lastCalls` if that is less]. From 1. */
  readonly minCalls?: number | undefined;
  /** Opens when this share of calls took longer than `over` [not looked at]. Needs `window` or `lastCalls`. */
  readonly slow?: { readonly over: Duration; readonly ratio: number } | undefined;
  /** How long it stays open [10 s]; a function is given how many times it has opened since it was last closed, from 1. */
  readonly cooldown?: Duration | ((opens: number) => Duration) | undefined;
  /** How many calls at a time may pass when it is half-open, and how many successes close it [1]. From 1. */
  readonly probes?: number | undefined;
  /** A probe that has not settled within this loses its place, and no longer counts [30 s]. Above 0. */
  readonly probeLease?: Duration | undefined;
  /** A call that a deadline outside the breaker ended counts as a failure if it had at least this long [100 ms]. */
  readonly blameAfter?: Duration | undefined;
  /** What a call counts as; `undefined` leaves it to the rules [nothing]. */
  readonly judge?: ((outcome: BreakerOutcome) => Effect | undefined) | undefined;
  /** Lets everything pass, and tells by its events what it would have refused [false]. */
  readonly dryRun?: boolean | undefined;
  /** What `toJSON` gave, to go on from there [closed]. */
  readonly restore?: unknown;
  /** For events, errors and `String(policy)` ['breaker']. */
  readonly name?: string | undefined;
}

const OPTIONS = [
  'failures',
  'ratio',
  'window',
  'lastCalls',
  'minCalls',
  'slow',
  'cooldown',
  'probes',
  'probeLease',
  'blameAfter',
  'judge',
  'dryRun',
  'restore',
  'name',
] as const;

/** A layer that refuses calls while what they call is down. Made by `breaker`; shared by every policy that it is put in. */
export class Breaker extends Policy {
  readonly name: string;
  private readonly gate: BreakerGate;

  /** @internal */
  constructor(gate: BreakerGate) {
    super([gate]);
    this.gate = gate;
    this.name = gate.name;
  }

  /** `'open'` also after the cooldown, until the next call makes it `'half-open'`. */
  get state(): BreakerState {
    return this.gate.cell.state;
  }

  /** Refuses everything, until `reset`. */
  isolate(): void {
    this.gate.move(() => this.gate.cell.isolate());
  }

  /** Closes it, from any state, with nothing remembered. */
  reset(): void {
    this.gate.move(() => this.gate.cell.reset());
  }

  /** What to save; `JSON.stringify` calls it. Goes into the option `restore`. */
  toJSON(): BreakerSnapshot {
    return this.gate.cell.snapshot(clock.now());
  }
}

const now = (): number => clock.now();

class BreakerGate implements Gate {
  readonly kind = 'gate';
  readonly type = 'breaker';
  readonly name: string;
  readonly cell: BreakerCell;
  readonly timesCalls: boolean;
  readonly blames = true;
  readonly hasHook: boolean;
  /** The newest one. */
  private cooldownMs = Infinity;
  private readonly blameAfterMs: number;
  private readonly judge: BreakerOptions['judge'];
  private readonly dryRun: boolean;
  private readonly text: string;

  constructor(
    settings: BreakerSettings,
    name: string,
    blameAfterMs: number,
    judge: BreakerOptions['judge'],
    dryRun: boolean,
    text: string,
  ) {
    this.cell = new BreakerCell({
      ...settings,
      cooldownMs: (opens) => (this.cooldownMs = settings.cooldownMs(opens)),
    });
    this.timesCalls = settings.slow !== null;
    this.hasHook = judge !== undefined;
    this.name = name;
    this.blameAfterMs = blameAfterMs;
    this.judge = judge;
    this.dryRun = dryRun;
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  enter(attempt: Attempt): Error | undefined {
    const before = this.cell.state;
    attempt.ticket = this.cell.admit(now);
    if (this.cell.state !== before) this.tellMove(before);
    return attempt.ticket === 0 ? this.refusal() : undefined;
  }

  private refusal(): Error | undefined {
    const { cell, dryRun, name } = this;
    const againMs = cell.retryAfterMs(clock.now());
    // A probe mostly settles long before its lease is over; when, nobody knows. A cooldown is a wait that the user has chosen.
    const retryAfterMs = cell.state === 'half-open' ? Math.min(againMs, this.cooldownMs) : againMs;
    if (breakerRefused.observed) breakerRefused.emit({ name, state: cell.state, retryAfterMs, dryRun });
    return dryRun ? undefined : new CircuitOpenError(name, cell.state, retryAfterMs);
  }

  release(): void {
    // It counts what calls come to, not how long the work goes on.
  }

  isAtRest(): boolean {
    return this.cell.isAtRest(now);
  }

  decided(attempt: Attempt, failed: AttemptRecord | null): void {
    if (attempt.ticket === 0) return; // a dry run let it pass
    // The hot one, with nothing to ask and nothing to measure.
    if (failed === null && !this.hasHook && !this.timesCalls) this.settle(attempt, 'success', 0);
    else this.weigh(attempt, failed);
  }

  private settle({ ticket }: Attempt, effect: Effect, durationMs: number): void {
    const before = this.cell.state;
    if (this.cell.settle(ticket, effect, now, durationMs)) this.tellMove(before);
  }

  private weigh(attempt: Attempt, failed: AttemptRecord | null): void {
    let effect: Effect = failed === null ? 'success' : effectOf(attempt, failed, this.blameAfterMs);
    try {
      effect = this.judged(effect, failed);
    } finally {
      const durationMs = this.timesCalls && attempt.startedMs !== null ? clock.now() - attempt.startedMs : 0;
      this.settle(attempt, effect, durationMs);
    }
  }

  private judged(effect: Effect, failed: AttemptRecord | null): Effect {
    if (this.judge === undefined) return effect;
    const outcome = { ok: failed === null, error: failed?.error, classification: failed?.classification, effect };
    const said = this.judge(Object.freeze(outcome)) ?? effect;
    refusePromise('judge', said);
    const known = said === 'success' || said === 'failure' || said === 'neither';
    checkOption(known, 'judge', said, "a function that gives 'success', 'failure', 'neither' or undefined");
    return said;
  }

  /** A change from outside. */
  move(change: () => void): void {
    const before = this.cell.state;
    change();
    if (this.cell.state !== before) this.tellMove(before);
  }

  private tellMove(from: BreakerState): void {
    if (breakerTransition.observed) breakerTransition.emit({ name: this.name, from, to: this.cell.state });
  }
}

/**
 * Refuses calls while what they call is down, so that it can recover, and so that callers need not wait for what will fail.
 *
 *            failures                        cooldown over, next call
 *   closed ───────────▶ open ─────────────────────────────────────▶ half-open
 *      ▲                  ▲              a probe fails                  │
 *      │                  └─────────────────────────────────────────────┤
 *      └──────────────────────── `probes` of them succeed ──────────────┘
 *
 * A refusal is a `CircuitOpenError`, which a `retry` outside does not retry, unless its `retryOn` says so.
 *
 * @throws {TypeError | RangeError} code `BAD_OPTION`, when the layer is made
 * @example
 * const inventory = breaker({ failures: 1, cooldown: '15s', name: 'inventory' });
 * await inventory.run(() => { throw new Error('down'); }).catch(() => {});
 * inventory.state;                                // 'open'
 * await inventory.run(() => 'never called');      // throws CIRCUIT_OPEN
 */
export function breaker(options: BreakerOptions = {}): Breaker {
  checkOptions('breaker', OPTIONS, options);
  const { ratio, window, lastCalls, slow, cooldown = 10_000, judge, dryRun = false, name = 'breaker' } = options;
  const counts = window !== undefined || lastCalls !== undefined;
  const {
    failures = ratio === undefined ? 5 : undefined,
    minCalls = Math.min(20, lastCalls ?? 20),
    probes = 1,
    probeLease = 30_000,
    blameAfter = 100,
  } = options;
  checkOption(window === undefined || lastCalls === undefined, 'lastCalls', lastCalls, 'either window or lastCalls');
  checkOption(ratio === undefined || counts, 'ratio', ratio, 'window or lastCalls beside it');
  checkOption(slow === undefined || counts, 'slow', slow, 'window or lastCalls beside it');
  checkOption(
    !counts || ratio !== undefined || slow !== undefined,
    window === undefined ? 'lastCalls' : 'window',
    window ?? lastCalls,
    'ratio or slow beside it',
  );
  if (failures !== undefined) checkCount('failures', failures);
  if (lastCalls !== undefined) checkCount('lastCalls', lastCalls, MAX_LAST_CALLS);
  checkCount('minCalls', minCalls);
  checkOption(lastCalls === undefined || minCalls <= lastCalls, 'minCalls', minCalls, 'at most lastCalls', RangeError);
  checkCount('probes', probes);
  if (ratio !== undefined) checkShare('ratio', ratio);
  if (slow !== undefined) {
    checkOptions('slow', ['over', 'ratio'], slow);
    checkShare('slow.ratio', slow.ratio);
  }
  if (judge !== undefined) checkFunction('judge', judge);
  checkOption(typeof dryRun === 'boolean', 'dryRun', dryRun, 'true or false');
  checkOption(typeof name === 'string', 'name', name, 'a string');
  const fixedMs = typeof cooldown === 'function' ? 0 : durationOption('cooldown', cooldown);
  // In no time at all no window holds a call, and no probe settles: it would never open, or never close.
  const windowMs = window === undefined ? null : spanOption('window', window);
  const probeLeaseMs = spanOption('probeLease', probeLease);
  const gate = new BreakerGate(
    {
      failures: failures ?? null,
      ratio: ratio ?? null,
      windowMs,
      lastCalls: lastCalls ?? null,
      minCalls,
      slow: slow === undefined ? null : { overMs: durationOption('slow.over', slow.over), ratio: slow.ratio },
      cooldownMs:
        typeof cooldown === 'function' ? (opens) => durationOption('cooldown', cooldown(opens)) : () => fixedMs,
      probes,
      probeLeaseMs,
    },
    name,
    durationOption('blameAfter', blameAfter),
    judge,
    dryRun,
    options.name === undefined ? 'breaker' : `breaker ${name}`,
  );
  if (options.restore !== undefined) gate.cell.restore(options.restore, clock.now());
  return new Breaker(gate);
}

function spanOption(option: string, value: Duration): number {
  const ms = durationOption(option, value);
  checkOption(ms > 0, option, value, 'a duration above 0', rangeOf(ms));
  return ms;
}

/** A ring of so many bytes. */
const MAX_LAST_CALLS = 1_000_000;

function checkCount(option: string, value: unknown, to: number = Number.MAX_SAFE_INTEGER): void {
  checkOption(
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= to,
    option,
    value,
    `a whole number from 1${to === Number.MAX_SAFE_INTEGER ? '' : ` to ${to}`}`,
    rangeOf(value),
  );
}

function checkShare(option: string, value: unknown): void {
  checkOption(
    typeof value === 'number' && value > 0 && value <= 1,
    option,
    value,
    'a share above 0, to 1',
    rangeOf(value),
  );
}
