/** The breaker's cell, its clients, and P6 read to the letter. */
import { BreakerCell, type BreakerSettings, type BreakerState, type Effect } from '../../src/policy/breaker/cell.ts';
import { broken, CLOCK_STEP_MS, same, throughJson, WorldClock, type World } from './world.ts';

interface Call {
  readonly period: number;
  readonly sinceMs: number;
  settled: boolean;
  succeeded: boolean;
}

interface Result {
  readonly failed: boolean;
  readonly slow: boolean;
  /** Buckets are counted from the first result after a pause: which pause, and which bucket. */
  readonly run: number;
  readonly bucket: number;
}

/** Remembers every call and result of a period, and looks through all of them each time. */
class BreakerModel {
  state: BreakerState = 'closed';
  private readonly settings: BreakerSettings;
  /** Of one state, from when it is entered until it is left. */
  private period = 0;
  private opens = 0;
  private openedMs = 0;
  private cooldownMs = 0;
  private results: Result[] = [];
  private originMs = 0;
  private probes: Call[] = [];

  constructor(settings: BreakerSettings) {
    this.settings = settings;
  }

  admit(nowMs: number): Call | undefined {
    if (this.state === 'isolated') return undefined;
    if (this.state === 'open') {
      if (lasts(nowMs - this.openedMs, this.cooldownMs)) return undefined;
      this.enter('half-open');
    }
    if (this.state === 'half-open' && this.underWay(nowMs).length >= this.settings.probes) return undefined;
    const call = { period: this.period, sinceMs: nowMs, settled: false, succeeded: false };
    if (this.state === 'half-open') this.probes.push(call);
    return call;
  }

  settle(call: Call, effect: Effect, durationMs: number, nowMs: number): boolean {
    const counts = this.counts(call, nowMs);
    call.settled = true;
    if (!counts || effect === 'neither') return false;
    if (this.state === 'closed') {
      this.remember(effect === 'failure', durationMs, nowMs);
      return this.mustOpen() && this.open(nowMs);
    }
    if (effect === 'failure') return this.open(nowMs);
    call.succeeded = true;
    if (this.successes() < this.settings.probes) return false;
    this.enter('closed');
    return true;
  }

  /** P6.5, and P6.3 for a probe. */
  counts(call: Call, nowMs: number): boolean {
    if (call.period !== this.period || call.settled) return false;
    return this.state === 'closed' || lasts(nowMs - call.sinceMs, this.settings.probeLeaseMs);
  }

  underWay(nowMs: number): Call[] {
    return this.probes.filter((probe) => this.counts(probe, nowMs));
  }

  retryAfterMs(nowMs: number): number {
    if (this.state === 'closed') return 0;
    if (this.state === 'isolated') return Infinity;
    if (this.state === 'open')
      return lasts(nowMs - this.openedMs, this.cooldownMs) ? this.openedMs + this.cooldownMs - nowMs : 0;
    const underWay = this.underWay(nowMs);
    if (underWay.length < this.settings.probes) return 0;
    return Math.min(...underWay.map((probe) => probe.sinceMs + this.settings.probeLeaseMs - nowMs));
  }

  enter(state: BreakerState): void {
    this.state = state;
    this.period++;
    this.results = [];
    this.probes = [];
    if (state === 'closed') this.opens = 0;
  }

  /** The process ends, and with it the calls that are under way. */
  restart(): void {
    this.period++;
    this.probes = this.probes.filter((probe) => probe.succeeded);
  }

  /** What a cell would have to save, as of the last result. */
  saved(): { opens: number; failures: number; successes: number; window: readonly Result[] } {
    const inRow = this.state === 'closed' ? this.failuresInRow() : 0;
    return { opens: this.opens, failures: inRow, successes: this.successes(), window: this.inWindow() };
  }

  private failuresInRow(): number {
    return this.results.length - 1 - this.results.findLastIndex((result) => !result.failed);
  }

  private successes(): number {
    return this.probes.filter((probe) => probe.succeeded).length;
  }

  private open(nowMs: number): boolean {
    const opens = this.opens + 1;
    this.enter('open');
    this.opens = opens;
    this.openedMs = nowMs;
    this.cooldownMs = this.settings.cooldownMs(opens);
    return true;
  }

  private remember(failed: boolean, durationMs: number, nowMs: number): void {
    const { windowMs, slow } = this.settings;
    const last = this.results.at(-1);
    let run = last?.run ?? 0;
    let bucket = 0;
    if (windowMs !== null) {
      bucket = Math.floor((nowMs - this.originMs) / (windowMs / 10));
      if (last === undefined || bucket < last.bucket || bucket >= last.bucket + 10) {
        this.originMs = nowMs;
        bucket = 0;
        run++;
      }
    }
    this.results.push({ failed, slow: slow !== null && durationMs > slow.overMs, run, bucket });
  }

  private mustOpen(): boolean {
    const { failures, ratio, slow, minCalls } = this.settings;
    if (failures !== null && this.failuresInRow() >= failures) return true;
    const window = this.inWindow();
    if (window.length < minCalls) return false;
    const share = (of: (result: Result) => boolean): number => window.filter(of).length / window.length;
    if (ratio !== null && share((result) => result.failed) > ratio - 1e-9) return true;
    return slow !== null && share((result) => result.slow) > slow.ratio - 1e-9;
  }

  private inWindow(): readonly Result[] {
    const { lastCalls, windowMs } = this.settings;
    if (lastCalls !== null) return this.results.slice(-lastCalls);
    const last = this.results.at(-1);
    if (windowMs === null || last === undefined) return [];
    return this.results.filter(({ run, bucket }) => run === last.run && bucket > last.bucket - 10);
  }
}

/** Whether a span that began so long ago still lasts. One that begins in the future was measured by a clock that is gone. */
function lasts(agoMs: number, spanMs: number): boolean {
  return agoMs >= 0 && agoMs < spanMs;
}

/** Who may change the state, from what to what. */
const LEGAL: Record<string, readonly string[]> = {
  admit: ['open→half-open'],
  settle: ['closed→open', 'half-open→open', 'half-open→closed'],
  isolate: ['closed→isolated', 'open→isolated', 'half-open→isolated'],
  reset: ['open→closed', 'half-open→closed', 'isolated→closed'],
  other: [],
};

export class BreakerWorld implements World {
  tell?: (event: string) => void;
  readonly clients: ({ readonly ticket: number; readonly call: Call } | undefined)[];
  private readonly settings: BreakerSettings;
  private readonly make: (settings: BreakerSettings) => BreakerCell;
  private cell: BreakerCell;
  private readonly model: BreakerModel;
  private readonly clock = new WorldClock();
  private before: BreakerState = 'closed';

  constructor(settings: BreakerSettings, clients: number, make = (it: BreakerSettings) => new BreakerCell(it)) {
    this.settings = settings;
    this.make = make;
    this.cell = make(settings);
    this.model = new BreakerModel(settings);
    this.clients = Array.from({ length: clients }, () => undefined);
  }

  admit(client: number): void {
    this.tell?.(`admit ${client}`);
    const { clock, model, cell } = this;
    const { state } = model;
    const call = model.admit(clock.ms);
    clock.reads = 0;
    const ticket = cell.admit(clock.now);
    same('let in', ticket > 0, call !== undefined);
    if (!Number.isSafeInteger(ticket)) broken(`${ticket} is no ticket`);
    if (clock.reads > 0 && (state === 'closed' || state === 'isolated')) broken(`read the clock while ${state}`);
    if (ticket > 0 && (cell.state === 'open' || cell.state === 'isolated')) broken(`let a call in while ${cell.state}`);
    if (call) this.clients[client] = { ticket, call };
    this.check('admit');
  }

  settle(client: number, effect: Effect, durationMs: number): void {
    this.tell?.(`settle ${client} ${effect} ${durationMs}`);
    const { ticket, call } = this.clients[client] ?? broken(`client ${client} has no call`);
    this.clients[client] = undefined;
    const { clock } = this;
    clock.reads = 0;
    const changed = this.cell.settle(ticket, effect, clock.now, durationMs);
    same('changed', changed, this.model.settle(call, effect, durationMs, clock.ms));
    if (clock.reads > 0 && effect === 'neither') broken('read the clock for a neither');
    this.check('settle');
  }

  tick(ms: number): void {
    this.tell?.(`tick ${ms}`);
    this.clock.ms += ms;
    this.check('other');
  }

  /** Another clock is put in force. */
  swapClock(): void {
    this.tell?.('swapClock');
    this.clock.ms -= CLOCK_STEP_MS;
    this.check('other');
  }

  isolate(): void {
    this.tell?.('isolate');
    this.cell.isolate();
    if (this.model.state !== 'isolated') this.model.enter('isolated');
    this.check('isolate');
  }

  reset(): void {
    this.tell?.('reset');
    this.cell.reset();
    this.model.enter('closed');
    this.check('reset');
  }

  /** What would be saved is what there is to save. */
  look(): void {
    this.tell?.('look');
    const { opens, failures, successes, window } = this.cell.snapshot(this.clock.cellMs);
    const model = this.model.saved();
    same('opens', opens, model.opens);
    same('failures in a row', failures, model.failures);
    same('successes', successes, model.successes);
    // None is saved when time went back, or nothing has been counted.
    if (window === null) return;
    const sums = 'buckets' in window ? window.buckets : window.map((bits) => [1, bits & 1, bits >> 1] as const);
    const sum = (at: 0 | 1 | 2): number => sums.reduce((total, tally) => total + tally[at], 0);
    same('calls in the window', sum(0), model.window.length);
    same('failures in the window', sum(1), model.window.filter((result) => result.failed).length);
    same('slow calls in the window', sum(2), model.window.filter((result) => result.slow).length);
  }

  /** The process ends, and another one begins with what was saved. */
  restart(): void {
    this.tell?.('restart');
    const saved = throughJson(this.cell.snapshot(this.clock.cellMs));
    this.clock.restart();
    this.cell = this.make(this.settings);
    this.cell.restore(saved, this.clock.cellMs);
    this.model.restart();
    this.clients.fill(undefined);
    this.check('other');
  }

  moves(): readonly string[] {
    const busy = this.clients.flatMap((it, client) => (it ? [client] : []));
    const idle = this.clients.indexOf(undefined);
    const durations = this.settings.slow ? [0, this.settings.slow.overMs + 1] : [0];
    return [
      // Clients have no names: it does not matter which of those that are idle begins.
      ...(idle < 0 ? [] : [`admit ${idle}`]),
      ...busy.flatMap((client) => durations.map((ms) => `settle ${client} success ${ms}`)),
      ...busy.flatMap((client) => durations.map((ms) => `settle ${client} failure ${ms}`)),
      ...busy.map((client) => `settle ${client} neither 0`),
      'tick 1',
      'isolate',
      'reset',
      'restart',
      'swapClock',
    ];
  }

  play(move: string): void {
    const [verb, first, effect, durationMs] = move.split(' ');
    if (verb === 'admit') this.admit(Number(first));
    else if (verb === 'settle') this.settle(Number(first), effect as Effect, Number(durationMs));
    else if (verb === 'tick') this.tick(Number(first));
    else this[verb as 'isolate' | 'reset' | 'restart' | 'swapClock']();
    this.look();
  }

  hash(): string {
    const { ms, cellMs } = this.clock;
    const clients = this.clients.map((it) => {
      if (!it) return 'idle';
      if (!this.model.counts(it.call, ms)) return 'late';
      return this.model.state === 'closed' ? 'call' : `probe ${ms - it.call.sinceMs}`;
    });
    return JSON.stringify([this.cell.snapshot(cellMs), clients.sort()]);
  }

  private check(verb: string): void {
    const { cell, model, clock, before, settings } = this;
    same('state', cell.state, model.state);
    same('retryAfterMs', cell.retryAfterMs(clock.cellMs), model.retryAfterMs(clock.ms));
    if (cell.state !== before) {
      if (!LEGAL[verb]?.includes(`${before}→${cell.state}`)) broken(`${verb}: ${before} became ${cell.state}`);
      this.before = cell.state;
    }
    if (cell.state !== 'half-open') return;
    const probes = model.underWay(clock.ms).length;
    if (probes > settings.probes) broken(`${probes} probes under way`);
  }
}
