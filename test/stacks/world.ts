/**
 * The reference's world: a list of (time, event), stepped by hand. Nothing of `src`, no promises.
 *
 * Timers at one instant: their order is nobody's promise, so a script in which it happens says nothing (`tied`).
 *
 * One event may set off several calls: who gives back a permit goes on, and so does who gets it. Which of them comes first is nobody's
 * promise either, but seldom matters. A `schedule` decides: 0 lets the one that is woken wait until the other has done all it does in
 * this instant, any other number is the seed of another order (`check.ts` tries some).
 */
import { Random } from '../fuzz/random.ts';

export interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** Less than this apart is one instant: sums in another order differ in the last bits. */
const INSTANT_MS = 1e-6;

export class World {
  now = 0;
  /** Two timers were due at one instant, or a decision hung on less than that. */
  tied = false;
  #timers: Timer[] = [];
  /** Something was woken: another schedule may come out differently. */
  raced = false;
  /** What is woken by something else in this instant. */
  readonly #woken: (() => void)[] = [];
  readonly #order: Random | undefined;

  constructor(schedule: number) {
    this.#order = schedule === 0 ? undefined : new Random(schedule);
  }

  /** `ms` from now; never, for Infinity. */
  after(ms: number, fire: () => void): Timer {
    const timer = { at: this.now + ms, fire };
    if (ms < Infinity) this.#timers.push(timer);
    return timer;
  }

  stop(timer: Timer | undefined): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  /** Later in this instant. */
  wake(fn: () => void): void {
    this.raced = true;
    if (this.#order?.chance(0.4)) fn();
    else this.#woken.splice(this.#order?.below(this.#woken.length + 1) ?? this.#woken.length, 0, fn);
  }

  /** Whether `a` is more than `b`, both times. Equal ones, or nearly equal ones that were computed, say nothing. */
  exceeds(a: number, b: number): boolean {
    if (a !== b && Math.abs(a - b) < INSTANT_MS) this.tied = true;
    return a > b;
  }

  run(): void {
    this.#drain();
    while (this.#timers.length > 0) {
      const next = this.#timers.reduce((first, timer) => (timer.at < first.at ? timer : first));
      if (this.#timers.some((timer) => timer !== next && timer.at - next.at < INSTANT_MS)) this.tied = true;
      this.stop(next);
      this.now = next.at;
      next.fire();
      this.#drain();
    }
  }

  #drain(): void {
    for (let fn = this.#woken.shift(); fn; fn = this.#woken.shift()) fn();
  }
}
