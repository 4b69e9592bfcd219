/** Counts the calls of a policy that are under way. */
import type { Context } from '../../scope/context.ts';
import type { CallOptions, Operation } from './layer.ts';
import type { Stage } from './stage.ts';

/** A stage around that of a whole policy. Only a policy that somebody counts has one: it makes a promise more for each call. */
export class CountedStage implements Stage {
  /** Calls that have begun and whose caller does not know yet what came of it. */
  calls = 0;
  private readonly stage: Stage;

  constructor(stage: Stage) {
    this.stage = stage;
  }

  get timesCalls(): boolean {
    return this.stage.timesCalls;
  }

  get isFlat(): boolean {
    return this.stage.isFlat;
  }

  start(op: Operation, outer: Context | null, options: CallOptions | null): Promise<unknown> {
    this.calls++;
    // The promise that is handed out has to be the last one: who gets it decides whether a rejection is handled.
    return this.stage.start(op, outer, options).then(
      (value) => {
        this.calls--;
        return value;
      },
      (error: unknown) => {
        this.calls--;
        throw error;
      },
    );
  }
}
