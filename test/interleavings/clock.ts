/** A clock that is stepped: time passes, and timers fire, when the schedule says so, in one turn with other things or in several. */
import { List, seededRandom, type Clock, type FixedTimers, type Timer } from '../../src/foundation/index.ts';

/** What pending timers are in: only its `remove` is called, by a timer that leaves. */
class Pending extends List {
  private readonly left: (timer: Timer) => void;

  constructor(left: (timer: Timer) => void) {
    super();
    this.left = left;
  }

  override remove(timer: Timer): void {
    timer.list = null;
    this.left(timer);
  }
}

export class StepClock implements Clock {
  nowMs = 0;
  readonly random: () => number;
  /** When each pending timer falls due. */
  private readonly due = new Map<Timer, number>();
  private readonly list = new Pending((timer) => this.due.delete(timer));

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  now(): number {
    return this.nowMs;
  }

  wallNow(): number {
    return this.nowMs;
  }

  start(timer: Timer, durationMs: number): void {
    timer.list = this.list;
    timer.startedMs = this.nowMs;
    this.due.set(timer, this.nowMs + durationMs);
  }

  startFixed(timer: Timer, { durationMs }: FixedTimers): void {
    this.start(timer, durationMs);
  }

  get pending(): number {
    return this.due.size;
  }

  /** When the next timer falls due; `Infinity` if there is none. */
  get nextMs(): number {
    return Math.min(...this.due.values());
  }

  /** The timers that are due then, the oldest first: which of them fires first is nobody's promise. */
  get next(): readonly Timer[] {
    const { nextMs } = this;
    return [...this.due].flatMap(([timer, dueMs]) => (dueMs === nextMs ? [timer] : []));
  }

  /** Lets time pass until the timer is due, and fires it. */
  fire(timer: Timer): void {
    this.nowMs = this.due.get(timer) as number;
    timer.leave();
    timer.fire();
  }
}
