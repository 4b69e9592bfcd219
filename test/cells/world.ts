/**
 * What the enumeration and the fuzz have in common: a cell, clients that use it, and beside it a naive model of the rules.
 *
 * A world throws a `Broken` at the first event after which the cell does not do as its model does, or an invariant does not hold.
 */
export interface World {
  /** What can happen now, each as a text that `play` understands. */
  moves(): readonly string[];
  play(move: string): void;
  /** Equal for two worlds from which the same can follow. Times are relative, clients have no names. */
  hash(): string;
  /** Told of every event, if somebody wants to see them. */
  tell?: ((event: string) => void) | undefined;
}

export class Broken extends Error {
  override name = 'Broken';
}

export function broken(message: string): never {
  throw new Broken(message);
}

/** `cell` and `model` are what each of them says. */
export function same(what: string, cell: unknown, model: unknown): void {
  if (cell !== model) broken(`${what}: the cell says ${String(cell)}, the rules ${String(model)}`);
}

/** Another clock is so far back that this one's times do not come again: a world lasts for less. */
export const CLOCK_STEP_MS = 1_000_000;

/** A clock that tells how often it was read. The cell's differs from the world's by an offset that changes when a process is started anew. */
export class WorldClock {
  ms = 0;
  offsetMs = 0;
  reads = 0;

  readonly now = (): number => {
    this.reads++;
    return this.ms + this.offsetMs;
  };

  get cellMs(): number {
    return this.ms + this.offsetMs;
  }

  restart(): void {
    this.offsetMs = this.offsetMs === 0 ? 12_345_678 : 0;
  }
}

/** As a saved snapshot comes back. */
export function throughJson(snapshot: unknown): unknown {
  return JSON.parse(JSON.stringify(snapshot));
}
