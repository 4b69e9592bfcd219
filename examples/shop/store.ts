/**
 * The shop's own database: what is on the shelves, and one row for every order that took something from them.
 *
 * A transaction is a `scopeSync`, which no `await` can enter: that no charge is ever sent inside an open transaction is not a
 * rule that somebody has to remember here. For the same reason no two transactions of this process can meet.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { scopeSync } from 'holdfast';
import type { Charge } from './ledger.ts';
import type { Order } from './orders.ts';

/** See the picture in place-order.ts. A row begins as `reserved` and moves once. */
export type RowState = 'reserved' | 'confirmed' | 'released' | 'held';

export interface Row {
  readonly order_id: string;
  readonly sku: string;
  readonly quantity: number;
  readonly charge_key: string;
  readonly trace_id: string;
  readonly state: RowState;
  readonly charge_id: string | null;
  readonly cents: number | null;
  readonly note: string;
}

export interface Shelf {
  readonly sku: string;
  readonly at_first: number;
  readonly left: number;
}

const SCHEMA = `
  CREATE TABLE stock (
    sku       TEXT PRIMARY KEY,
    at_first  INTEGER NOT NULL,
    left      INTEGER NOT NULL CHECK (left >= 0)
  ) STRICT;
  CREATE TABLE reservations (
    order_id    TEXT PRIMARY KEY,
    sku         TEXT NOT NULL REFERENCES stock,
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    charge_key  TEXT NOT NULL UNIQUE,
    trace_id    TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('reserved', 'confirmed', 'released', 'held')),
    charge_id   TEXT,
    cents       INTEGER,
    note        TEXT NOT NULL DEFAULT '',
    CHECK ((state = 'confirmed') = (charge_id IS NOT NULL AND cents IS NOT NULL))
  ) STRICT;
`;

export class OutOfStock extends Error {
  override readonly name = 'OutOfStock';
}

export class Store implements Disposable {
  readonly #file: string;
  /**
   * Open as long as the store is. The last connection to leave a database in WAL mode tidies the log away; if each order were
   * the last one, with one order at a time, each would wait for that.
   */
  readonly #db: DatabaseSync;
  /** For the table at the end: what the orders opened, and what they gave back. */
  readonly counts = { connections: { opened: 0, released: 0 }, statements: { opened: 0, released: 0 } };

  /** Makes the tables and fills the shelves. */
  constructor(file: string, stock: ReadonlyMap<string, number>) {
    this.#file = file;
    this.#db = scopeSync((s) => {
      const db = openDatabase(file);
      s.defer((exit) => exit.ok || db.close());
      db.exec('PRAGMA journal_mode = WAL');
      transaction(db, () => {
        db.exec(SCHEMA);
        const insert = db.prepare('INSERT INTO stock VALUES (?, ?, ?)');
        for (const [sku, pieces] of stock) insert.run(sku, pieces, pieces);
      });
      return db;
    });
  }

  /** A connection for one order. */
  connect(): Connection {
    return new Connection(openDatabase(this.#file), this.counts);
  }

  /** Everything, by id, for the audit. */
  contents(): { rows: Row[]; shelves: Shelf[] } {
    return {
      rows: this.#db.prepare('SELECT * FROM reservations ORDER BY order_id').all() as unknown as Row[],
      shelves: this.#db.prepare('SELECT * FROM stock ORDER BY sku').all() as unknown as Shelf[],
    };
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

export class Connection implements Disposable {
  readonly #db: DatabaseSync;
  readonly #counts: Store['counts'];

  constructor(db: DatabaseSync, counts: Store['counts']) {
    this.#db = db;
    this.#counts = counts;
    counts.connections.opened++;
  }

  /** This order's reservation, with its statement prepared and nothing reserved yet. */
  prepareReservation(order: Order, chargeKey: string, traceId: string): Reservation {
    return new Reservation(this.#db, { order, chargeKey, traceId }, this.#counts.statements);
  }

  [Symbol.dispose](): void {
    this.#db.close();
    this.#counts.connections.released++;
  }
}

/**
 * One order's row: made by `reserve`, then moved once, to one of three places. Every method is one short transaction.
 *
 * node:sqlite finalizes a statement together with its connection and has no call for it, so releasing the statement means
 * here that it is let go and cannot be used any more.
 */
export class Reservation implements Disposable {
  readonly #db: DatabaseSync;
  readonly #of: { readonly order: Order; readonly chargeKey: string; readonly traceId: string };
  readonly #counts: { opened: number; released: number };
  #move: StatementSync | undefined;
  #state: RowState | 'none' = 'none';

  constructor(
    db: DatabaseSync,
    of: { order: Order; chargeKey: string; traceId: string },
    counts: { opened: number; released: number },
  ) {
    this.#db = db;
    this.#of = of;
    this.#counts = counts;
    this.#move = db.prepare(
      `UPDATE reservations SET state = ?, charge_id = ?, cents = ?, note = ? WHERE order_id = ? AND state = 'reserved'`,
    );
    counts.opened++;
  }

  /** What is committed. */
  get state(): RowState | 'none' {
    return this.#state;
  }

  /** Takes the goods from the shelf and writes the row. @throws OutOfStock, and nothing has changed */
  reserve(): void {
    const { order, chargeKey, traceId } = this.#of;
    transaction(this.#db, () => {
      const taken = this.#db.prepare('UPDATE stock SET left = left - ? WHERE sku = ? AND left >= ?');
      if (taken.run(order.quantity, order.sku, order.quantity).changes === 0)
        throw new OutOfStock(`${order.quantity} × ${order.sku}`);
      this.#db
        .prepare(
          `INSERT INTO reservations (order_id, sku, quantity, charge_key, trace_id, state) VALUES (?, ?, ?, ?, ?, 'reserved')`,
        )
        .run(order.id, order.sku, order.quantity, chargeKey, traceId);
    });
    this.#state = 'reserved';
  }

  /** The money was taken: the goods are sold. */
  confirm(charge: Charge, note: string): void {
    this.#moveTo('confirmed', charge, note);
  }

  /** The money was not taken and never will be: the goods go back to the shelf. */
  release(note: string): void {
    this.#moveTo('released', undefined, note);
  }

  /** Nobody could say whether the money was taken: the goods stay reserved until somebody can. */
  hold(note: string): void {
    this.#moveTo('held', undefined, note);
  }

  #moveTo(state: RowState, charge: Charge | undefined, note: string): void {
    const { order } = this.#of;
    const move = this.#move;
    if (!move) throw new Error(`the statement of order ${order.id} was released`);
    transaction(this.#db, () => {
      const { changes } = move.run(state, charge?.id ?? null, charge?.cents ?? null, note, order.id);
      if (changes !== 1)
        throw new Error(`order ${order.id} is ${this.#state}, not reserved: it cannot become ${state}`);
      if (state === 'released')
        this.#db.prepare('UPDATE stock SET left = left + ? WHERE sku = ?').run(order.quantity, order.sku);
    });
    this.#state = state;
  }

  [Symbol.dispose](): void {
    if (this.#move) this.#counts.released++;
    this.#move = undefined;
  }
}

function openDatabase(file: string): DatabaseSync {
  // `timeout` is SQLite's busy timeout: another process may have the file open as well. It blocks this thread while it waits.
  const db = new DatabaseSync(file, { timeout: 2_000, enableForeignKeyConstraints: true });
  // In WAL mode what is committed survives the program's death also when the disk is not waited for; only a power cut may take
  // the last commits back. Waiting for it would stop this thread hundreds of times a second.
  db.exec('PRAGMA synchronous = NORMAL');
  return db;
}

/** The deferred function sees how the work ended, and ends the transaction the same way. A COMMIT that fails is the failure. */
function transaction(db: DatabaseSync, work: () => void): void {
  scopeSync((t) => {
    db.exec('BEGIN IMMEDIATE');
    t.defer((exit) => db.exec(exit.ok ? 'COMMIT' : 'ROLLBACK'));
    work();
  });
}
