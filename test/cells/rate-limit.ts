/** The cell of rate limits, its clients, the queue that a layer keeps beside it, and P10 read to the letter. */
import { RateLimitCell, type RateLimitSettings } from '../../src/policy/rate-limit/cell.ts';
import { broken, CLOCK_STEP_MS, same, throughJson, WorldClock, type World } from './world.ts';

interface LetIn {
  atMs: number;
  readonly weight: number;
}

/**
 * P10.1 turned round: remembers what was let in, looks through every span of time that ends now, and lets in what makes none of them too full.
 * In whole parts of a token, so that nothing is rounded.
 */
class SpanModel {
  private readonly settings: RateLimitSettings;
  private letIn: LetIn[] = [];

  constructor(settings: RateLimitSettings) {
    this.settings = settings;
  }

  /** By how much the fullest span has more than what comes in its time; 0 if none has. */
  excess(nowMs: number): number {
    const { limit, perMs } = this.settings;
    let fullest = 0;
    let sum = 0;
    for (const { atMs, weight } of this.letIn.toReversed()) {
      sum += weight * perMs;
      fullest = Math.max(fullest, sum - limit * (nowMs - atMs));
    }
    // What came before an instant without excess never makes one again.
    if (fullest === 0) this.letIn = [];
    return fullest;
  }

  fits(weight: number, nowMs: number): boolean {
    const { perMs, burst } = this.settings;
    return this.excess(nowMs) + weight * perMs <= burst * perMs;
  }

  take(weight: number, nowMs: number): void {
    this.letIn.push({ atMs: nowMs, weight });
  }

  /** After how long so much more fits: a millisecond at a time. */
  waitMs(weight: number, nowMs: number): number {
    const { limit, perMs, burst } = this.settings;
    let over = this.excess(nowMs) + weight * perMs - burst * perMs;
    let waitMs = 0;
    for (; over > 0; over -= limit) waitMs++;
    return waitMs;
  }

  /** Another clock is put in force: as if all had happened so much earlier. */
  shift(ms: number): void {
    for (const it of this.letIn) it.atMs += ms;
  }
}

export class RateLimitWorld implements World {
  tell?: (event: string) => void;
  /** What those weigh who wait, the first one first. */
  readonly queue: number[] = [];
  private readonly settings: RateLimitSettings;
  private readonly maxWaitMs: number;
  private readonly places: number;
  private readonly make: (settings: RateLimitSettings) => RateLimitCell;
  private cell: RateLimitCell;
  private readonly model: SpanModel;
  private readonly clock = new WorldClock();

  /** @param places how many wait at most: clients */
  constructor(
    settings: RateLimitSettings,
    maxWaitMs: number,
    places: number,
    make = (it: RateLimitSettings) => new RateLimitCell(it),
  ) {
    this.settings = settings;
    this.maxWaitMs = maxWaitMs;
    this.places = places;
    this.make = make;
    this.cell = make(settings);
    this.model = new SpanModel(settings);
  }

  enter(weight: number): void {
    this.tell?.(`enter ${weight}`);
    const { clock, model, queue } = this;
    this.letIn();
    const promised = queue.reduce((sum, it) => sum + it, 0);
    const expected = model.waitMs(promised + weight, clock.ms);
    const waitMs = this.cell.enter(weight, clock.cellMs);
    same('enter', waitMs, expected);
    if (waitMs === 0) this.take(weight);
    else if (waitMs <= this.maxWaitMs && queue.length < this.places) {
      this.cell.join(weight);
      queue.push(weight);
    }
    this.check();
  }

  /** Who waits at this place gives up. */
  leave(place: number): void {
    this.tell?.(`leave ${place}`);
    const [weight] = this.queue.splice(place, 1);
    this.cell.leave(weight!);
    this.letIn();
    this.check();
  }

  tick(ms: number): void {
    this.tell?.(`tick ${ms}`);
    this.clock.ms += ms;
    this.letIn();
    this.check();
  }

  /** Another clock is put in force; what has drained until then counts if somebody has looked. */
  swapClock(): void {
    this.tell?.('swapClock');
    this.look();
    this.clock.ms -= CLOCK_STEP_MS;
    this.model.shift(-CLOCK_STEP_MS);
    this.look();
    this.letIn();
    this.check();
  }

  restart(): void {
    this.tell?.('restart');
    const saved = throughJson(this.cell.snapshot(this.clock.cellMs));
    this.clock.restart();
    this.cell = this.make(this.settings);
    this.cell.restore(saved, this.clock.cellMs);
    this.queue.length = 0;
    this.check();
    this.look();
  }

  look(): void {
    this.tell?.('look');
    const { burst, perMs } = this.settings;
    const expected = burst - this.model.excess(this.clock.ms) / perMs;
    const tokens = this.cell.tokensAt(this.clock.cellMs);
    if (!(tokens >= 0 && tokens <= burst)) broken(`${tokens} tokens`);
    if (Math.abs(tokens - expected) > 1e-9) same('tokens', tokens, expected);
    same('at rest', this.cell.isAtRest(this.clock.cellMs), this.queue.length === 0 && Math.abs(tokens - burst) < 1e-9);
  }

  moves(): readonly string[] {
    return [
      'enter 1',
      'enter 2',
      ...this.queue.map((_, place) => `leave ${place}`),
      'tick 1',
      'look',
      'restart',
      'swapClock',
    ];
  }

  play(move: string): void {
    const [verb, argument] = move.split(' ');
    this[verb as 'enter' | 'leave' | 'tick'](Number(argument));
  }

  hash(): string {
    return JSON.stringify([this.model.excess(this.clock.ms), this.queue]);
  }

  /** As the layer does: whose turn it is, the first one first. */
  private letIn(): void {
    const { cell, clock, model, queue } = this;
    for (let weight = queue[0]; weight !== undefined; weight = queue[0]) {
      const waitMs = cell.advance(weight, clock.cellMs);
      same('advance', waitMs, model.waitMs(weight, clock.ms));
      if (waitMs > 0) return;
      queue.shift();
      this.take(weight);
    }
  }

  private take(weight: number): void {
    const { clock, model } = this;
    if (!model.fits(weight, clock.ms)) broken('more than the burst and what came in that time');
    model.take(weight, clock.ms);
  }

  private check(): void {
    same('waiting', this.cell.waiting, this.queue.length);
  }
}
