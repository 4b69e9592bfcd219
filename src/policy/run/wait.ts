/** What a call waits for between two attempts, and how the promise that its caller has comes to wait for it. */
import { captureContext, clock, Timer, type CapturedContext } from '../../foundation/index.ts';
import type { Call } from './call.ts';

/** Something that a call waits for, other than an attempt at work: a back-off, or a place in a queue. */
export interface Wait {
  /** The call was aborted: it ends at once. */
  cancel(reason: unknown): void;
}

/** What the reaction to the first attempt hands on when the call goes on: the promise that it settles adopts the call, one turn later. */
export class Adoption {
  private readonly call: Call;
  private readonly delayMs: number;
  private readonly refused: boolean;

  constructor(call: Call, delayMs: number, refused: boolean) {
    this.call = call;
    this.delayMs = delayMs;
    this.refused = refused;
  }

  /** Called by the promise that adopts. */
  // oxlint-disable-next-line unicorn/no-thenable -- this is what it is for
  then(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
    this.call.adopted(resolve, reject);
    this.call.backOff(this.delayMs, this.refused);
  }
}

export class BackoffWait extends Timer implements Wait {
  private readonly call: Call;
  private readonly captured: CapturedContext = captureContext();

  constructor(call: Call, delayMs: number) {
    super();
    this.call = call;
    clock.start(this, delayMs);
  }

  override fire(): void {
    this.captured.run(resume, this.call);
  }

  cancel(): void {
    this.leave();
    this.call.resume();
  }
}

const resume = (call: Call): void => call.resume();
