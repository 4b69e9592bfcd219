/** The cell of a hedge's live percentile, and P11.8 as a list that is sorted. */
import { LatencyCell } from '../../src/policy/hedge/cell.ts';
import { broken, same, throughJson } from './world.ts';

const WINDOW = 1000;
const ERROR = 0.02;

export class LatencyWorld {
  tell?: (event: string) => void;
  private readonly percentile: number;
  private readonly make: (percentile: number) => LatencyCell;
  private cell: LatencyCell;
  private latencies: number[] = [];

  constructor(percentile: number, make = (it: number) => new LatencyCell(it)) {
    this.percentile = percentile;
    this.make = make;
    this.cell = make(percentile);
  }

  /** So many calls took as long as `draw` says. */
  record(count: number, draw: () => number): void {
    for (let i = 0; i < count; i++) {
      const latencyMs = draw();
      this.tell?.(`record ${latencyMs}`);
      this.cell.record(latencyMs);
      this.latencies.push(latencyMs);
    }
    this.latencies = this.latencies.slice(-WINDOW);
  }

  /** Another clock was put in force while a call ran: nobody knows how long it took. */
  swapClock(): void {
    this.tell?.('swapClock');
    this.cell.record(-1);
    this.cell.record(NaN);
  }

  restart(): void {
    this.tell?.('restart');
    const saved = throughJson(this.cell.snapshot()) as { latenciesMs: unknown[] };
    same('saved latencies', saved.latenciesMs.length, this.latencies.length);
    this.cell = this.make(this.percentile);
    this.cell.restore(saved);
  }

  look(): void {
    this.tell?.('look');
    const said = this.cell.valueMs();
    const { length } = this.latencies;
    // To whole parts first: the percentiles have a decimal, and 0.7 of 1000 is not a whole number in doubles.
    const above = Math.floor((Math.round(10 * (100 - this.percentile)) * length) / 1000);
    if (Math.round(10 * (100 - this.percentile)) * length < 5000) return same('value', said, undefined);
    const exact = Math.min(Math.max(this.latencies.toSorted((a, b) => b - a)[above]!, 0.1), 3_600_000);
    if (!(Math.abs(said! - exact) <= exact * ERROR * (1 + 1e-9)))
      broken(`p${this.percentile} of ${length}: the cell says ${String(said)}, and it is ${exact}`);
  }
}
