/** The budget's cell, its clients, and P4 as an exact account. */
import { BudgetCell, type BudgetSettings } from '../../src/budget/cell.ts';
import { broken, CLOCK_STEP_MS, same, throughJson, WorldClock, type World } from './world.ts';

/**
 * In whole parts of a token, so that nothing is rounded: `ratio` has at most three decimals, and a trickle of whole tokens
 * a second is as many thousandths a millisecond. Time trickles in at once, not when somebody asks.
 */
class BudgetModel {
  parts: number;
  private readonly settings: BudgetSettings;

  constructor(settings: BudgetSettings) {
    this.settings = settings;
    this.parts = settings.initial * PARTS;
  }

  add(parts: number): void {
    this.parts = Math.min(this.settings.cap * PARTS, this.parts + parts);
  }

  withdraw(): boolean {
    if (this.parts < PARTS) return false;
    this.parts -= PARTS;
    return true;
  }
}

const PARTS = 1000;

/** A client whose retry was paid for, and who has not said yet whether it ran. */
export type BudgetClient = 'idle' | 'paid';

export class BudgetWorld implements World {
  tell?: (event: string) => void;
  readonly clients: BudgetClient[];
  private readonly settings: BudgetSettings;
  private readonly make: (settings: BudgetSettings) => BudgetCell;
  private cell: BudgetCell;
  private readonly model: BudgetModel;
  private readonly clock = new WorldClock();
  /** What the retries of P4 may come to, in parts: all that was ever put in. */
  private funds: number;
  /** Retries that were paid for, less those given back. */
  private retries = 0;

  constructor(settings: BudgetSettings, clients: number, make = (it: BudgetSettings) => new BudgetCell(it)) {
    this.settings = settings;
    this.make = make;
    this.cell = make(settings);
    this.model = new BudgetModel(settings);
    this.clients = Array.from({ length: clients }, () => 'idle');
    this.funds = settings.initial * PARTS;
    this.look();
  }

  deposit(): void {
    this.tell?.('deposit');
    this.cell.deposit();
    this.fund(Math.round(this.settings.ratio * PARTS));
  }

  withdraw(client: number): void {
    this.tell?.(`withdraw ${client}`);
    const expected = this.model.withdraw();
    same('withdraw', this.cell.withdraw(this.clock.cellMs), expected);
    if (!expected) return;
    this.clients[client] = 'paid';
    this.retries++;
    if (this.retries * PARTS > this.funds) broken(`${this.retries} retries, and funds for ${this.funds / PARTS}`);
  }

  /** The retry ran. */
  ran(client: number): void {
    this.tell?.(`ran ${client}`);
    this.clients[client] = 'idle';
  }

  giveBack(client: number): void {
    this.tell?.(`giveBack ${client}`);
    this.cell.giveBack();
    this.model.add(PARTS);
    this.clients[client] = 'idle';
    this.retries--;
  }

  tick(ms: number): void {
    this.tell?.(`tick ${ms}`);
    this.clock.ms += ms;
    this.fund(this.settings.trickle * ms);
  }

  /** Another clock is put in force; what has trickled in until then counts if somebody has looked. */
  swapClock(): void {
    this.tell?.('swapClock');
    this.look();
    this.clock.ms -= CLOCK_STEP_MS;
    this.look();
  }

  restart(): void {
    this.tell?.('restart');
    const saved = throughJson(this.cell.snapshot(this.clock.cellMs));
    this.clock.restart();
    this.cell = this.make(this.settings);
    this.cell.restore(saved, this.clock.cellMs);
    this.clients.fill('idle');
    this.look();
  }

  look(): void {
    this.tell?.('look');
    const tokens = this.cell.tokensAt(this.clock.cellMs);
    if (!(tokens >= 0 && tokens <= this.settings.cap)) broken(`${tokens} tokens`);
    if (Math.abs(tokens - this.model.parts / PARTS) > 1e-9) same('tokens', tokens, this.model.parts / PARTS);
  }

  moves(): readonly string[] {
    const idle = this.clients.indexOf('idle');
    const paid = this.clients.indexOf('paid');
    return [
      'deposit',
      // Clients have no names.
      ...(idle < 0 ? [] : [`withdraw ${idle}`]),
      ...(paid < 0 ? [] : [`ran ${paid}`, `giveBack ${paid}`]),
      'tick 250',
      'look',
      'restart',
      'swapClock',
    ];
  }

  play(move: string): void {
    const [verb, argument] = move.split(' ');
    this[verb as 'withdraw' | 'ran' | 'giveBack' | 'tick'](Number(argument));
  }

  hash(): string {
    this.look();
    const slack = Math.min(this.funds - this.retries * PARTS, 2 * this.settings.cap * PARTS);
    return JSON.stringify([this.model.parts, slack, this.clients.toSorted()]);
  }

  private fund(parts: number): void {
    this.model.add(parts);
    this.funds += parts;
  }
}
