/** What moves the limit of an adaptive bulkhead, and P7.7 to P7.11 read to the letter: all that ended in a window is kept, and looked at anew each time. */
import { AdaptiveCell, type AdaptiveSettings, type AdaptiveSnapshot } from '../../src/policy/bulkhead/adaptive.ts';
import { CLOCK_STEP_MS, same, throughJson, type World } from './world.ts';

interface End {
  readonly ms: number;
  readonly dropped: boolean;
  readonly inFlight: number;
}

/** By a rounding error, one comes out or the other. */
class Tie extends Error {}

/** Of numbers that were rounded: where they are equal, or nearly, nobody knows. */
function clearlyBelow(one: number, other: number): boolean {
  if (isNear(one, other)) throw new Tie();
  return one < other;
}

const isNear = (one: number, other: number): boolean =>
  Math.abs(one - other) <= 1e-9 * Math.max(Math.abs(one), Math.abs(other));

const sum = (list: readonly number[]): number => list.reduce((all, one) => all + one, 0);

class Model {
  limit: number;
  base: AdaptiveSnapshot['base'] = null;
  /** The limit and the latency before it was halved, to ask for base. */
  asked: { readonly limit: number; readonly ms: number } | null = null;
  sinceMs = NaN;
  ends: readonly End[] = [];
  private readonly settings: AdaptiveSettings;

  constructor(settings: AdaptiveSettings) {
    this.settings = settings;
    this.limit = settings.initial;
  }

  copy(): Model {
    return Object.assign(new Model(this.settings), this);
  }

  restart(): void {
    if (this.asked !== null) this.limit = this.asked.limit;
    this.asked = null;
    this.sinceMs = NaN;
    this.ends = [];
  }

  ended(end: End, nowMs: number, random: number): void {
    if (!(nowMs >= this.sinceMs)) {
      this.sinceMs = nowMs;
      this.ends = [];
    }
    if (!(end.ms >= 0)) return;
    this.ends = [...this.ends, end];
    if (!this.isOver(nowMs)) return;
    const { min, max, algorithm } = this.settings;
    this.limit = Math.min(Math.max(algorithm === 'aimd' ? this.aimd() : this.vegas(random), min), max);
    this.sinceMs = nowMs;
    this.ends = [];
  }

  private get latencies(): number[] {
    return this.ends.filter(({ dropped }) => !dropped).map(({ ms }) => ms);
  }

  private get meanMs(): number {
    return sum(this.latencies) / this.latencies.length;
  }

  /** The standard error of the mean, by the definition. */
  private get error(): number {
    const { latencies, meanMs } = this;
    const variance = sum(latencies.map((ms) => (ms - meanMs) ** 2)) / latencies.length;
    return Math.sqrt(variance / latencies.length);
  }

  private get isDropped(): boolean {
    return this.ends.length - this.latencies.length >= this.ends.length / 10;
  }

  private get used(): number {
    return Math.max(...this.ends.map(({ inFlight }) => inFlight));
  }

  private isOver(nowMs: number): boolean {
    const { ends, settings } = this;
    const lastedMs = nowMs - this.sinceMs;
    const averageMs = sum(ends.map(({ ms }) => ms)) / ends.length;
    if (ends.length < 10 || lastedMs < settings.windowMs || lastedMs < 2 * averageMs) return false;
    if (settings.algorithm === 'aimd' || this.isDropped || this.meanMs === 0) return true;
    const limit = this.asked?.limit ?? this.limit;
    const off = (limit * this.error) / this.meanMs;
    return !clearlyBelow(this.asked === null ? step(limit) : step(limit) / Math.SQRT2, off);
  }

  private aimd(): number {
    const { limit } = this;
    if (this.isDropped || this.meanMs > this.settings.overMs) return Math.floor(0.9 * limit + 1e-9);
    return this.used >= limit / 2 ? limit + 1 : limit;
  }

  private vegas(random: number): number {
    const { limit, asked, base, meanMs } = this;
    this.asked = null;
    if (base !== null && base.windows > 0) this.base = { ...base, windows: base.windows - 1 };
    if (this.isDropped) return (asked ?? this).limit - step(limit);
    if (asked !== null) return clearlyBelow(meanMs, asked.ms / 1.5) ? this.ask() : this.answer(asked.limit, random);
    if (base === null || this.isDoubtful(base)) return this.used < limit ? this.answer(limit, random) : this.ask();
    if (this.used < limit / 2) return limit;
    const q = Math.ceil(limit * (1 - base.ms / meanMs));
    const s = step(limit);
    if (q <= s) return limit + 6 * s;
    if (q < 3 * s) return limit + s;
    return q > 6 * s ? limit - s : limit;
  }

  private isDoubtful({ ms, limit, windows }: NonNullable<AdaptiveSnapshot['base']>): boolean {
    if (windows <= 1 || this.limit >= 1.5 * limit || this.limit * 3 <= limit * 2) return true;
    const { meanMs, error } = this;
    return error === 0 ? meanMs < ms : clearlyBelow(meanMs, ms * (1 - (3 * error) / meanMs));
  }

  private ask(): number {
    this.asked = { limit: this.limit, ms: this.meanMs };
    return Math.ceil(this.limit / 2);
  }

  private answer(limit: number, random: number): number {
    this.base = { ms: this.meanMs, limit, windows: Math.ceil(100 + 100 * random) };
    return limit;
  }
}

function step(limit: number): number {
  return limit < 100 ? 1 : limit < 1000 ? 2 : 3;
}

export class AdaptiveWorld implements World {
  tell?: (event: string) => void;
  private readonly settings: AdaptiveSettings;
  private readonly make: (settings: AdaptiveSettings) => AdaptiveCell;
  private cell: AdaptiveCell;
  private model: Model;
  private nowMs = 0;
  private offsetMs = 0;

  constructor(settings: AdaptiveSettings, make = (it: AdaptiveSettings) => new AdaptiveCell(it)) {
    this.settings = settings;
    this.make = make;
    this.cell = make(settings);
    this.model = new Model(settings);
  }

  get limit(): number {
    return this.cell.limit;
  }

  /** One call has ended. Left out if a rounding error decides. */
  end(ms: number, dropped: boolean, inFlight: number, random: number): void {
    const model = this.model.copy();
    const before = model.limit;
    try {
      model.ended({ ms, dropped, inFlight }, this.nowMs, random);
    } catch (error) {
      if (error instanceof Tie) return;
      throw error;
    }
    this.tell?.(`end ${ms} ${dropped ? 'dropped' : 'well'} ${inFlight} ${random}`);
    this.model = model;
    const moved = this.cell.ended(ms, dropped, inFlight, this.nowMs + this.offsetMs, () => random);
    same('moved', moved, model.limit !== before);
    this.check();
  }

  tick(ms: number): void {
    this.tell?.(`tick ${ms}`);
    this.nowMs += ms;
  }

  swapClock(): void {
    this.tell?.('swapClock');
    this.nowMs -= CLOCK_STEP_MS;
  }

  restart(): void {
    this.tell?.('restart');
    const saved = throughJson(this.cell.snapshot());
    this.offsetMs = 12_345 - this.offsetMs;
    this.cell = this.make(this.settings);
    this.cell.restore(saved);
    this.model.restart();
    this.check();
  }

  moves(): readonly string[] {
    return ['well 10', 'well 30', 'unused 10', 'unused 30', 'dropped 10', 'restart', 'swapClock'];
  }

  /** A whole window of it. */
  play(move: string): void {
    const [what, ms] = move.split(' ');
    if (what === 'restart' || what === 'swapClock') return this[what]();
    this.tick(1000);
    for (let i = 0; i < 10; i++) {
      this.tick(10);
      this.end(Number(ms), what === 'dropped', what === 'unused' ? 1 : this.limit, 0);
    }
  }

  hash(): string {
    const { asked, ends, sinceMs } = this.model;
    return JSON.stringify([this.cell.snapshot(), this.limit, asked, ends, this.nowMs - sinceMs]);
  }

  private check(): void {
    const { cell, model } = this;
    const { limit, base } = cell.snapshot();
    same('limit', cell.limit, model.limit);
    same('saved limit', limit, model.asked?.limit ?? model.limit);
    same('base', JSON.stringify(base), JSON.stringify(model.base));
  }
}
