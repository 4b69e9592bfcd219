/**
 * What the payment server can do at once: so many workers, and a waiting room. First come, first served.
 *
 * This is the part of a server that a retry storm lives on. Who waits for longer than the sender's patience is worked on all the
 * same, unless the sender has hung up: the server cannot know that nobody reads the answer any more. When most of those who
 * wait are such, all work is in vain, every sender sends again, and the waiting room stays full: the load that the outage has
 * left behind keeps the server from recovering (N. Bronson et al., "Metastable failures in distributed systems", HotOS 2021).
 */
const WORKERS = 10;
/** For one request. */
const WORK_MS = 40;
/** What it can do in a second, which is far above what the shop needs of it on a good day. */
export const CAPACITY: number = (WORKERS * 1_000) / WORK_MS;
/** Two seconds of work. Then the door is shut: 503. */
const PLACES = 500;

export type Admission = 'worked on' | 'no place' | 'sender gone';

interface Waiting {
  readonly senderIsGone: () => boolean;
  readonly tell: (admission: Admission) => void;
}

export class Workers {
  readonly #waiting: Waiting[] = [];
  #busy = 0;
  #stalled = false;
  #closing = false;

  /** Resolves when the work is done, or will not be. */
  work(senderIsGone: () => boolean): Promise<Admission> {
    if (this.#waiting.length >= PLACES) return Promise.resolve('no place');
    return new Promise((tell) => {
      this.#waiting.push({ senderIsGone, tell });
      this.#next();
    });
  }

  /** The outage: who comes is let in to wait, and nobody is worked on. */
  stall(stalled: boolean): void {
    this.#stalled = stalled;
    this.#next();
  }

  /** Whoever waits is worked on now. */
  close(): void {
    this.#closing = true;
    this.#next();
  }

  #next(): void {
    while (this.#waiting.length > 0 && (this.#closing || (!this.#stalled && this.#busy < WORKERS))) {
      const { senderIsGone, tell } = this.#waiting.shift()!;
      if (senderIsGone()) tell('sender gone');
      else if (this.#closing) tell('worked on');
      else this.#begin(tell);
    }
  }

  #begin(tell: Waiting['tell']): void {
    this.#busy++;
    setTimeout(() => {
      this.#busy--;
      tell('worked on');
      this.#next();
    }, WORK_MS);
  }
}
