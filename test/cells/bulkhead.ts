/** The bulkhead's cell, its clients, the queue that a layer keeps beside it, and P7 read to the letter. */
import { BulkheadCell, type BulkheadSettings } from '../../src/policy/bulkhead/cell.ts';
import { broken, CLOCK_STEP_MS, same, throughJson, WorldClock, type World } from './world.ts';

/** A departure while somebody waited, and what was seen since the departure before. */
interface Departure {
  /** Since the one before; none for the first in this process. */
  readonly intervalMs: number;
  /** How long the queue was, after each event. */
  readonly lengths: readonly number[];
  /** How many had left since the last interval that counted. */
  readonly since: number;
}

/** Remembers every departure that somebody waited for, and averages all of them each time. */
class WaitModel {
  private readonly limit: number;
  private departures: Departure[] = [];
  private lastMs = NaN;
  private lengths: number[] = [];
  private since = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** After every event. */
  queueIs(length: number): void {
    this.lengths.push(length);
  }

  departed(nowMs: number, someoneWaited: boolean): void {
    const departure = { intervalMs: nowMs - this.lastMs, lengths: this.lengths, since: this.since };
    this.since++;
    if (!someoneWaited) return;
    this.departures.push(departure);
    if (counts(departure)) this.since = 0;
    this.lastMs = nowMs;
    this.lengths = [];
  }

  /** How long ago the interval began that will count if somebody leaves now; null if none would. */
  begunMs(nowMs: number): number | null {
    const intervalMs = nowMs - this.lastMs;
    return counts({ intervalMs, lengths: this.lengths, since: 0 }) ? intervalMs : null;
  }

  /** The process ends: nobody waits for an interval that it had begun. */
  restart(): void {
    this.lastMs = NaN;
    this.lengths = [];
  }

  expectedWaitMs(place: number): number {
    const { limit, since } = this;
    const horizon = Math.max(16, 2 * limit);
    let [average, seen] = [0, 0];
    for (const departure of this.departures) {
      if (!counts(departure)) continue;
      if (departure.since > 4 * horizon) seen = 0;
      seen++;
      const weight = 1 / Math.min(seen, horizon);
      average = average * (1 - weight) + departure.intervalMs * weight;
    }
    return seen < limit || since > 4 * horizon ? 0 : average * place;
  }
}

/** Whether the queue was never empty in between, and no other clock was put in force. */
function counts({ intervalMs, lengths }: Departure): boolean {
  return intervalMs >= 0 && lengths.every((length) => length > 0);
}

export type BulkheadClient = 'idle' | 'working' | 'waiting';

export class BulkheadWorld implements World {
  tell?: (event: string) => void;
  readonly clients: BulkheadClient[];
  /** First come, first served. */
  private queue: number[] = [];
  private readonly settings: BulkheadSettings;
  private readonly make: (settings: BulkheadSettings) => BulkheadCell;
  private cell: BulkheadCell;
  private readonly waits: WaitModel;
  private readonly clock = new WorldClock();

  constructor(settings: BulkheadSettings, clients: number, make = (it: BulkheadSettings) => new BulkheadCell(it)) {
    this.settings = settings;
    this.make = make;
    this.cell = make(settings);
    this.waits = new WaitModel(settings.limit);
    this.clients = Array.from({ length: clients }, () => 'idle');
  }

  enter(client: number): void {
    this.tell?.(`enter ${client}`);
    const { limit, queue } = this.settings;
    const expected = this.working() < limit ? 'entered' : this.queue.length < queue ? 'queued' : 'full';
    const said = this.cell.enter();
    same('enter', said, expected);
    if (expected === 'entered') this.clients[client] = 'working';
    if (expected === 'queued') {
      this.clients[client] = 'waiting';
      this.queue.push(client);
    }
    this.check();
  }

  leave(client: number): void {
    this.tell?.(`leave ${client}`);
    const { clock, queue } = this;
    clock.reads = 0;
    same('handed over', this.cell.leave(clock.now), queue.length > 0);
    same('reads of the clock', clock.reads, queue.length > 0 ? 1 : 0);
    this.waits.departed(clock.ms, queue.length > 0);
    this.clients[client] = 'idle';
    const next = queue.shift();
    if (next !== undefined) this.clients[next] = 'working';
    this.check();
  }

  abandon(client: number): void {
    this.tell?.(`abandon ${client}`);
    this.cell.abandonPlace();
    this.queue = this.queue.filter((it) => it !== client);
    this.clients[client] = 'idle';
    this.check();
  }

  tick(ms: number): void {
    this.tell?.(`tick ${ms}`);
    this.clock.ms += ms;
  }

  swapClock(): void {
    this.tell?.('swapClock');
    this.clock.ms -= CLOCK_STEP_MS;
  }

  /** Everybody is asked what a place costs. */
  look(): void {
    this.tell?.('look');
    for (const place of [1, this.settings.queue + 1]) {
      const [said, expected] = [this.cell.expectedWaitMs(place), this.waits.expectedWaitMs(place)];
      const off = Math.abs(said - expected);
      if (!(off <= 1e-9 * Math.max(1, expected))) same(`expectedWaitMs(${place})`, said, expected);
    }
  }

  restart(): void {
    this.tell?.('restart');
    const saved = throughJson(this.cell.snapshot());
    this.clock.restart();
    this.cell = this.make(this.settings);
    this.cell.restore(saved);
    this.waits.restart();
    this.clients.fill('idle');
    this.queue = [];
    this.check();
  }

  moves(): readonly string[] {
    const idle = this.clients.indexOf('idle');
    return [
      // Clients have no names, and those that work differ in nothing; those that wait have their places.
      ...(idle < 0 ? [] : [`enter ${idle}`]),
      ...(this.working() === 0 ? [] : [`leave ${this.clients.indexOf('working')}`]),
      ...this.queue.map((client) => `abandon ${client}`),
      'tick 1',
      'restart',
      'swapClock',
    ];
  }

  play(move: string): void {
    const [verb, argument] = move.split(' ');
    if (verb === 'restart' || verb === 'swapClock') this[verb]();
    else this[verb as 'enter' | 'leave' | 'abandon' | 'tick'](Number(argument));
    this.look();
  }

  hash(): string {
    return JSON.stringify([this.cell.snapshot(), this.working(), this.queue.length, this.waits.begunMs(this.clock.ms)]);
  }

  private working(): number {
    return this.clients.filter((client) => client === 'working').length;
  }

  private check(): void {
    const { cell, queue, settings } = this;
    const working = this.working();
    this.waits.queueIs(queue.length);
    // At rest both are 0 with them.
    same('inFlight', cell.inFlight, working);
    same('waiting', cell.waiting, queue.length);
    if (working > settings.limit) broken(`${working} in flight`);
    if (queue.length > 0 && working < settings.limit) broken('somebody waits beside a free permit');
  }
}
