/**
 * A discrete-event world for the reference interpreter: strands (generators), cells (what a strand can wait for) and timers.
 *
 * Within one instant several strands may be ready. The platform would order them by microtasks, which no rule promises; here a
 * `schedule` decides: 0 takes the oldest first, any other number seeds another order. A strand yields nothing to say "here others may
 * go first" and a cell to wait. So the set of traces over all schedules contains what any honest implementation may do; the fuzzer
 * compares with it (`check.ts`).
 *
 * Not covered: orders *within* a stretch between two yields. Such a stretch is what the rules call "at once".
 */
import { Random } from './random.ts';

export type Steps<T> = Generator<Cell | undefined, T, unknown>;

/** A value to come. */
export class Cell {
  settled = false;
  failed = false;
  value: unknown;
  waiters: Strand[] = [];
}

interface Strand {
  readonly generator: Steps<unknown>;
  readonly result: Cell;
  /** What it waits for, or has waited for. */
  cell: Cell | undefined;
  /** Under a schedule with priorities. */
  priority: number;
}

export interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

export class World {
  /** When the last timer fired. */
  now = 0;
  /** Another schedule may come out differently. */
  raced = false;
  /** Two timers were due at one instant. */
  tied = false;
  readonly #ready: Strand[] = [];
  readonly #timers: Timer[] = [];
  readonly #order: Random | undefined;
  readonly #mode: number;

  constructor(schedule: number) {
    this.#order = schedule === 0 ? undefined : new Random(schedule);
    this.#mode = schedule % 4;
  }

  /** Begins a strand: its first stretch runs now, inside the call. */
  start(generator: Steps<unknown>): Cell {
    const strand: Strand = { generator, result: new Cell(), cell: undefined, priority: this.#order?.next() ?? 0 };
    this.#resume(strand);
    return strand.result;
  }

  /**
   * Whether a strand lets others go first at a place where it need not wait. The first schedule does so after what is asynchronous.
   */
  lets(afterSync: boolean): boolean {
    this.raced = true;
    return this.#order === undefined ? !afterSync : this.#order.chance(0.6);
  }

  settle(cell: Cell, value?: unknown, failed = false): void {
    if (cell.settled) return;
    cell.settled = true;
    cell.failed = failed;
    cell.value = value;
    for (const strand of cell.waiters) this.#ready.push(strand);
    cell.waiters.length = 0;
  }

  at(ms: number, fire: () => void): Timer {
    const timer: Timer = { at: this.now + ms, fire };
    let i = this.#timers.length;
    while (i > 0 && (this.#timers[i - 1] as Timer).at < timer.at) i--;
    this.#timers.splice(i, 0, timer); // latest first, so that the next one is popped
    return timer;
  }

  stop(timer: Timer | undefined): void {
    const i = timer === undefined ? -1 : this.#timers.indexOf(timer);
    if (i >= 0) this.#timers.splice(i, 1);
  }

  /** Runs until nothing is left to happen. */
  run(): void {
    this.#drain();
    for (let timer = this.#timers.pop(); timer; timer = this.#timers.pop()) {
      if (this.#timers[this.#timers.length - 1]?.at === timer.at) this.tied = true;
      this.now = timer.at;
      timer.fire();
      this.#drain();
    }
  }

  #drain(): void {
    while (this.#ready.length > 0) this.#resume(this.#next());
  }

  #next(): Strand {
    const ready = this.#ready;
    if (ready.length > 1) this.raced = true;
    if (this.#order === undefined || ready.length === 1) return ready.shift() as Strand;
    if (this.#mode === 1) return ready.pop() as Strand;
    return ready.splice(
      this.#mode === 2 ? this.#order.below(ready.length) : highest(ready, this.#order),
      1,
    )[0] as Strand;
  }

  #resume(strand: Strand): void {
    const { generator, cell } = strand;
    strand.cell = undefined;
    try {
      const turn = cell?.failed ? generator.throw(cell.value) : generator.next(cell?.value);
      if (turn.done) return this.settle(strand.result, turn.value);
      const next = turn.value;
      strand.cell = next;
      if (next === undefined || next.settled) this.#ready.push(strand);
      else next.waiters.push(strand);
    } catch (error) {
      if (error instanceof Error) throw error; // a bug of the interpreter: programs throw faults and primitives
      this.settle(strand.result, error, true);
    }
  }
}

/** The strand of highest priority; now and then one changes its priority, so that few but deep orders are found. */
function highest(ready: Strand[], order: Random): number {
  let best = 0;
  for (let i = 1; i < ready.length; i++) if ((ready[i] as Strand).priority > (ready[best] as Strand).priority) best = i;
  if (order.chance(0.2)) (ready[best] as Strand).priority = order.next();
  return best;
}
