/**
 * Who waits for a permit: by priority, and among equals first come first served. To come, or to leave from any place, takes as many
 * comparisons as the logarithm of the number of priorities: there may be one for each waiter, such as the time that is left to it.
 */
import { clock, Link, List, Timer } from '../../foundation/index.ts';
import type { Attempt } from '../run/attempt.ts';
import type { Wait } from '../run/wait.ts';
import type { Gate } from '../run/layer.ts';

/** What a waiter has to do with its bulkhead. */
interface Gatekeeper extends Gate {
  left(waiter: Waiter): void;
  overdue(waiter: Waiter): Error;
}

/** One attempt that waits. */
export class Waiter extends Link implements Wait {
  readonly priority: number;
  private readonly gate: Gatekeeper;
  private readonly attempt: Attempt;
  private timer: MaxWaitTimer | null = null;
  /** It has a permit, and its reaction is under way. */
  private granted = false;
  private cancelled = false;
  /** With `undefined` when it is let in, with the refusal when not. A promise carries the caller's async context, whoever lets it in. */
  private readonly answer: PromiseWithResolvers<Error | undefined> = Promise.withResolvers();

  constructor(attempt: Attempt, gate: Gatekeeper, priority: number) {
    super();
    this.gate = gate;
    this.attempt = attempt;
    this.priority = priority;
    void this.answer.promise.then((refusal) => {
      if (this.cancelled) return;
      if (refusal === undefined) attempt.call.admitted(attempt, gate);
      else attempt.call.refused(attempt, gate, refusal);
    });
  }

  expireAfter(maxWaitMs: number): void {
    this.timer = new MaxWaitTimer(this);
    clock.start(this.timer, maxWaitMs);
  }

  /** It has left the queue, and the permit is its own. */
  grant(): void {
    this.timer?.leave();
    this.granted = true;
    this.answer.resolve(undefined);
  }

  overdue(): void {
    this.answer.resolve(this.gate.overdue(this));
  }

  cancel(reason: unknown): void {
    this.cancelled = true;
    this.timer?.leave();
    if (this.granted) this.gate.release();
    else if (this.list !== null) this.gate.left(this);
    this.answer.resolve(undefined); // nobody reads it: no promise stays pending
    this.attempt.call.refused(this.attempt, this.gate, reason);
  }
}

class MaxWaitTimer extends Timer {
  private readonly waiter: Waiter;

  constructor(waiter: Waiter) {
    super();
    this.waiter = waiter;
  }

  override fire(): void {
    this.waiter.overdue();
  }
}

/** The waiters of one priority. */
class Level extends List {
  readonly priority: number;
  count = 0;

  constructor(priority: number) {
    super();
    this.priority = priority;
  }

  override add(link: Link): void {
    super.add(link);
    this.count++;
  }

  override remove(link: Link): void {
    super.remove(link);
    this.count--;
  }
}

export class Queue {
  /** The highest first. None is empty. */
  private readonly levels: Level[] = [];

  /** Which place (from 1) somebody gets who comes with this priority. */
  place(priority: number): number {
    let ahead = 0;
    for (const level of this.levels) if (level.priority >= priority) ahead += level.count;
    return ahead + 1;
  }

  /** Where the level of this priority is, or belongs. */
  private indexOf(priority: number): number {
    let from = 0;
    let to = this.levels.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.levels[middle]!.priority > priority) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  add(waiter: Waiter): void {
    const { levels } = this;
    const at = this.indexOf(waiter.priority);
    if (levels[at]?.priority !== waiter.priority) levels.splice(at, 0, new Level(waiter.priority));
    levels[at]!.add(waiter);
  }

  /** Takes out who is first. There must be somebody. */
  shift(): Waiter {
    const waiter = this.levels[0]!.first as Waiter;
    this.remove(waiter);
    return waiter;
  }

  remove(waiter: Waiter): void {
    const level = waiter.list as Level;
    level.remove(waiter);
    if (level.count === 0) this.levels.splice(this.indexOf(level.priority), 1);
  }
}
