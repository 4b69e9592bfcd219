/**
 * The reference's budget, breaker and bulkhead, from the rules P4, P6 and P7. As naive as can be: they keep the whole list of what has
 * happened, and look through it.
 */
import type { BreakerScript, BudgetScript, BulkheadScript, EffectScript } from './script.ts';
import type { World } from './world.ts';

/** P4. */
export class Budget {
  readonly #script: BudgetScript;
  #tokens: number;
  /** From its making on. */
  #trickledAt = 0;

  constructor(script: BudgetScript) {
    this.#script = script;
    this.#tokens = script.initial;
  }

  get tokens(): number {
    return this.#tokens;
  }

  add(tokens: number): void {
    this.#tokens = Math.min(this.#script.cap, this.#tokens + tokens);
  }

  deposit(): void {
    this.add(this.#script.ratio);
  }

  trickle(now: number): void {
    this.add(((now - this.#trickledAt) / 1000) * this.#script.trickle);
    this.#trickledAt = now;
  }

  withdraw(now: number): boolean {
    this.trickle(now);
    // Five deposits of 0.2 are a token.
    if (this.#tokens < 1 - 1e-9) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** What a call was let in with. */
export interface Pass {
  readonly at: number;
  /** When what was let in began; `undefined` while it waits at a gate directly inside: that time is not the server's. */
  began: number | undefined;
  /** Which period of which state; `undefined`: let in by a dry run alone, its result does not count. */
  readonly period: number | undefined;
}

interface Result {
  readonly at: number;
  readonly failed: boolean;
  readonly slow: boolean;
}

/** P6. */
export class Breaker {
  readonly #script: BreakerScript;
  readonly #world: World;
  readonly #told: (from: string, to: string) => void;
  state: 'closed' | 'open' | 'half-open' | 'isolated' = 'closed';
  /** One for each time that a state has begun. */
  #period = 0;
  #openedAt = 0;
  #opens = 0;
  /** Of this closed period. */
  #results: Result[] = [];
  /** When the first tenth of the window began. */
  #windowBegan = 0;
  /** Of this half-open period. */
  #probes: Pass[] = [];
  #successes = 0;

  constructor(script: BreakerScript, world: World, told: (from: string, to: string) => void) {
    this.#script = script;
    this.#world = world;
    this.#told = told;
  }

  isolate(): void {
    this.#move('isolated');
  }

  reset(): void {
    this.#opens = 0;
    this.#move('closed');
  }

  /** The pass; or in how many milliseconds it is worth trying again. */
  enter(): Pass | number {
    const { now } = this.#world;
    if (this.state === 'isolated') return Infinity;
    if (this.state === 'open') {
      const left = this.#openedAt + this.#cooldown() - now;
      if (this.#world.exceeds(left, 0)) return left;
      this.#move('half-open');
    }
    const pass = { at: now, began: undefined, period: this.#period };
    if (this.state === 'closed') return pass;
    const live = this.#live();
    if (live.length >= this.#script.probes)
      return Math.min(this.#cooldown(), ...live.map((probe) => probe.at + this.#script.probeLease - now));
    this.#probes.push(pass);
    return pass;
  }

  #live(): Pass[] {
    return this.#probes.filter((probe) => !this.#leaseOver(probe));
  }

  #leaseOver(probe: Pass): boolean {
    return !this.#world.exceeds(probe.at + this.#script.probeLease, this.#world.now);
  }

  settle(pass: Pass, effect: EffectScript): void {
    if (pass.period !== this.#period) return;
    if (this.state === 'closed') this.#count(pass, effect);
    else this.#probe(pass, effect);
  }

  #count(pass: Pass, effect: EffectScript): void {
    if (effect === 'neither') return;
    const { slow } = this.#script;
    const { now } = this.#world;
    const newest = this.#results.at(-1);
    // "Counted in tenths": the first one begins with the first result, also after a time without any in the window.
    if (!newest || this.#tenth(now) - this.#tenth(newest.at) >= 10) this.#windowBegan = now;
    this.#results.push({
      at: now,
      failed: effect === 'failure',
      slow: slow !== undefined && this.#world.exceeds(now - (pass.began ?? now), slow.over),
    });
    if (this.#mustOpen()) this.#open();
  }

  #mustOpen(): boolean {
    const { ratio, slow, lastCalls } = this.#script;
    const failures = this.#script.failures ?? (ratio === undefined ? 5 : Infinity);
    const newest = this.#results.slice(-failures);
    if (newest.length === failures && newest.every((result) => result.failed)) return true;
    const recent = this.#recent();
    const minCalls = this.#script.minCalls ?? Math.min(20, lastCalls ?? 20);
    if (recent.length < minCalls) return false;
    const share = (of: 'failed' | 'slow'): number => recent.filter((result) => result[of]).length / recent.length;
    return (ratio !== undefined && share('failed') >= ratio) || (slow !== undefined && share('slow') >= slow.ratio);
  }

  #recent(): Result[] {
    const { lastCalls, window } = this.#script;
    if (lastCalls !== undefined) return this.#results.slice(-lastCalls);
    if (window === undefined) return [];
    return this.#results.filter(
      ({ at }) => at >= this.#windowBegan && this.#tenth(at) > this.#tenth(this.#world.now) - 10,
    );
  }

  #tenth(at: number): number {
    return Math.floor((at - this.#windowBegan) / ((this.#script.window ?? Infinity) / 10));
  }

  #probe(pass: Pass, effect: EffectScript): void {
    if (this.#leaseOver(pass)) return;
    this.#probes = this.#probes.filter((probe) => probe !== pass);
    if (effect === 'failure') this.#open();
    if (effect === 'success' && ++this.#successes === this.#script.probes) {
      this.#opens = 0;
      this.#move('closed');
    }
  }

  #open(): void {
    this.#opens++;
    this.#openedAt = this.#world.now;
    this.#move('open');
  }

  #cooldown(): number {
    const { cooldowns } = this.#script;
    return cooldowns[Math.min(this.#opens, cooldowns.length) - 1] as number;
  }

  #move(to: Breaker['state']): void {
    if (to !== this.state) this.#told(this.state, to);
    this.state = to;
    this.#period++;
    this.#results = [];
    this.#probes = [];
    this.#successes = 0;
  }
}

interface Waiter {
  readonly priority: number;
  readonly letIn: () => void;
}

/** P7. */
export class Bulkhead {
  readonly script: BulkheadScript;
  readonly #world: World;
  inFlight = 0;
  #waiters: Waiter[] = [];
  /** How long the steps of the queue took. */
  readonly #steps: number[] = [];
  /** When the last waiter was let in, if the queue has not been empty since. */
  #steppedAt: number | undefined;

  constructor(script: BulkheadScript, world: World) {
    this.script = script;
    this.#world = world;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  hasRoom(): boolean {
    return this.inFlight < this.script.limit;
  }

  /**
   * What a waiter that joins now would wait (P7.5), by the moving average of the steps: a plain mean of the first ones. It is unknown before
   * there were as many as there are permits.
   */
  expectedWait(priority: number): number {
    const { limit } = this.script;
    if (this.#steps.length < limit) return 0;
    const remembered = Math.max(16, 2 * limit);
    const mean = this.#steps.reduce((sum, step, i) => sum + (step - sum) / Math.min(i + 1, remembered), 0);
    return mean * (1 + this.#waiters.filter((waiter) => waiter.priority >= priority).length);
  }

  queueUp(priority: number, letIn: () => void): Waiter {
    const waiter = { priority, letIn };
    this.#waiters.push(waiter);
    return waiter;
  }

  leaveQueue(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    this.#noteEmpty();
  }

  leave(): void {
    this.inFlight--;
    // The first of the highest.
    const next = this.#waiters.reduce<Waiter | undefined>(
      (first, waiter) => (first === undefined || waiter.priority > first.priority ? waiter : first),
      undefined,
    );
    if (next === undefined) return;
    this.inFlight++;
    if (this.#steppedAt !== undefined) this.#steps.push(this.#world.now - this.#steppedAt);
    this.#steppedAt = this.#world.now;
    this.leaveQueue(next);
    this.#world.wake(next.letIn);
  }

  #noteEmpty(): void {
    if (this.#waiters.length === 0) this.#steppedAt = undefined;
  }
}
