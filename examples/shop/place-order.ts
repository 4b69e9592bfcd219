/**
 * One order, from the file to the customer. This is the file to read.
 *
 *                          charged
 *     (none) ──► reserved ─────────► confirmed       the money was taken, the goods are sold
 *       │           │
 *       │           ├──────────────► released        the money was not taken and never will be, the goods are back
 *       ▼           │
 *     out of        └──────────────► held            nobody could say: the goods stay reserved until somebody can
 *     stock
 *
 * One rule decides the second step on every way out, be it an answer, a refusal, a bug or Ctrl-C: **the row follows the
 * money**. It leaves `reserved` only when it is known where the money is, or when every means of finding out has failed. Nothing
 * is ever refunded: an order whose money turns out to be taken is completed, which needs nobody else's help.
 *
 * | step         | function                | its transaction                         |
 * |--------------|-------------------------|------------------------------------------|
 * | → reserved   | `reservation.reserve`   | takes the goods and writes the row       |
 * | → confirmed  | `reservation.confirm`   | writes the charge into the row           |
 * | → released   | `reservation.release`   | puts the goods back and marks the row    |
 * | → held       | `reservation.hold`      | marks the row                            |
 *
 * No transaction is open while a charge is under way (see store.ts for why none can be).
 */
import { createHash } from 'node:crypto';
import { scope, suppressedErrors, type Exit, type Scope } from 'holdfast';
import { findOut } from './charge.ts';
import { priceInCents, type Order } from './orders.ts';
import { traceId, type Money, type PaymentClient, type Wish } from './payment-client.ts';
import type { ReceiptDrawer } from './receipts.ts';
import { OutOfStock, type RowState, type Store } from './store.ts';

export interface Shop {
  readonly seed: number;
  readonly store: Store;
  readonly payments: PaymentClient;
  /** With a policy or by hand. */
  readonly charge: (wish: Wish, payments: PaymentClient, s: Scope) => Promise<Money>;
  readonly receipts: ReceiptDrawer;
  /** Told once for every order that was begun, when everything it had opened is released. */
  readonly ended: (order: Order, ending: Ending) => void;
}

/** What the program says of an order. The audit compares it with the file, the database and the payment server's ledger. */
export type Ending =
  | { readonly kind: 'placed'; readonly afterAsking: boolean }
  | { readonly kind: 'refused'; readonly why: 'out of stock' | 'card declined' | 'no answer' }
  | { readonly kind: 'held' }
  | { readonly kind: 'recovered'; readonly bug: unknown; readonly trace: string; readonly row: RowState | 'none' }
  | { readonly kind: 'stopped'; readonly row: RowState | 'none' };

class CardDeclined extends Error {
  override readonly name = 'CardDeclined';
}
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** Resolves with what became of the order, whatever that is. Rejects only when `parent` is cancelled, with its reason. */
export function placeOrder(order: Order, shop: Shop, parent: Scope): Promise<Ending> {
  const trace = traceOf(shop.seed, order.id);
  const key = `order-${order.id}`;

  return scope(
    { name: `order ${order.id}`, signal: parent, values: [[traceId, trace]] },
    async (s): Promise<Ending> => {
      let rowNow = (): RowState | 'none' => 'none';

      // First in, last out: everything is released when this one tells how the order ended. A refusal or a bug is this order's
      // own affair; it is recovered here, and the others go on. (A cancellation is nothing that one can recover from.)
      s.defer((exit) => {
        const ending = endingOf(exit, { reason: parent.signal.reason, trace, row: rowNow() });
        shop.ended(order, ending);
        exit.recover(ending);
      });

      const connection = s.use(shop.store.connect());
      const receipt = s.use(await shop.receipts.open(order.id));
      const reservation = s.use(connection.prepareReservation(order, key, trace));
      rowNow = () => reservation.state;

      s.throwIfAborted(); // nothing is begun any more when the shop is being stopped
      reservation.reserve();
      let money: Money = { is: 'untouched' };

      // A receipt for every confirmed row, whatever confirmed it. A bug in here replaces what else had failed, since it is the
      // news: the row and the money are settled by now.
      s.defer(async (exit) => {
        if (reservation.state !== 'confirmed' || money.is !== 'charged') return;
        try {
          await receipt.publish(order, money.charge);
        } catch (bug) {
          exit.fail(bug);
        }
      });

      // The row follows the money. Cancellation does not reach this function: `s` is a shield while it runs, so that Ctrl-C in
      // the middle of a charge leaves it the time to find out what became of it.
      s.defer(async (exit) => {
        if (reservation.state !== 'reserved') return;
        const note = exit.ok ? '' : String(exit.error);
        if (money.is === 'unknown') money = await findOut(key, shop.payments, s);
        switch (money.is) {
          case 'charged':
            return reservation.confirm(money.charge, note);
          case 'unknown':
            return reservation.hold(`${note}; ${money.because}`);
          default:
            return reservation.release(note);
        }
      });

      const wish: Wish = { order: order.id, cents: priceInCents(order), key };
      // Before the first request and not after it: from here to the answer, whoever ends this scope has to ask.
      money = { is: 'unknown', because: 'a request is under way' };
      money = await shop.charge(wish, shop.payments, s);

      if (money.is === 'declined') throw new CardDeclined('card declined');
      if (money.is !== 'charged') {
        s.throwIfAborted(); // no answer, since the shop is being stopped
        throw new NoAnswer(money.is === 'unknown' ? money.because : `charge ${money.is}`);
      }

      reservation.confirm(money.charge, '');
      return { kind: 'placed', afterAsking: false };
    },
  ).catch((error: unknown) => {
    // An order that was refused, or found a bug, while the shop was being stopped: it has been told, and is not what ended
    // the day.
    parent.throwIfAborted();
    throw error;
  });
}

function endingOf(exit: Exit, known: { reason: unknown; trace: string; row: RowState | 'none' }): Ending {
  const { error } = exit;
  if (exit.ok) return { kind: 'placed', afterAsking: false };
  // The row should have followed the money and could not: that is the news, whatever went before.
  if (known.row === 'reserved')
    return { kind: 'recovered', bug: suppressedErrors(error).at(-1) ?? error, trace: known.trace, row: known.row };
  if (exit.cancelled && error === known.reason) return { kind: 'stopped', row: known.row };
  if (error instanceof OutOfStock) return { kind: 'refused', why: 'out of stock' };
  if (error instanceof CardDeclined) return { kind: 'refused', why: 'card declined' };
  if (error instanceof NoAnswer) {
    if (known.row === 'confirmed') return { kind: 'placed', afterAsking: true };
    if (known.row === 'held') return { kind: 'held' };
    return { kind: 'refused', why: 'no answer' };
  }
  return { kind: 'recovered', bug: error, trace: known.trace, row: known.row };
}

/** The same order of the same seed has the same trace id in every run. */
function traceOf(seed: number, orderId: string): string {
  return createHash('sha256').update(`trace/${seed}/${orderId}`).digest('hex').slice(0, 32);
}
