/** Who waits for a rate limit: a place in its queue, and the timer of who is first in it. */
import { clock, Link, Timer } from '../../foundation/index.ts';
import type { Attempt } from '../run/attempt.ts';
import type { Gate } from '../run/layer.ts';
import type { Wait } from '../run/wait.ts';

/** What a waiter has to do with its rate limit. */
interface Gatekeeper extends Gate {
  /** It may be the turn of the first one. */
  letIn(): void;
  left(waiter: Waiter): void;
}

/** One attempt that waits. */
export class Waiter extends Link implements Wait {
  readonly weight: number;
  private readonly gate: Gatekeeper;
  private readonly attempt: Attempt;
  /** Only of the first one. */
  private timer: TurnTimer | null = null;
  private cancelled = false;
  /** A promise carries the caller's async context, whoever lets it in. */
  private readonly turn: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(attempt: Attempt, gate: Gatekeeper, weight: number) {
    super();
    this.gate = gate;
    this.attempt = attempt;
    this.weight = weight;
    void this.turn.promise.then(() => {
      if (!this.cancelled) attempt.call.admitted(attempt, gate);
    });
  }

  /** It is first, and its turn comes in so long. */
  expectTurn(waitMs: number): void {
    if (this.timer !== null) return;
    this.timer = new TurnTimer(this);
    clock.start(this.timer, waitMs);
  }

  turnComes(): void {
    this.timer = null;
    this.gate.letIn();
  }

  /** It has left the queue, and is let in. */
  grant(): void {
    this.timer?.leave();
    this.turn.resolve();
  }

  cancel(reason: unknown): void {
    this.cancelled = true;
    this.timer?.leave();
    // Not so in the turn in which it was let in: then it has used what it weighs.
    if (this.list !== null) this.gate.left(this);
    this.turn.resolve(); // nobody reads it: no promise stays pending
    this.attempt.call.refused(this.attempt, this.gate, reason);
  }
}

class TurnTimer extends Timer {
  private readonly waiter: Waiter;

  constructor(waiter: Waiter) {
    super();
    this.waiter = waiter;
  }

  override fire(): void {
    this.waiter.turnComes();
  }
}
