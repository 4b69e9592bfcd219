/** Three orders on a bad day, and a cancelled question. Prints what came of them, and what the server saw. */
import { Orders } from './orders.ts';
import { Server } from './server.ts';

const server = new Server(['busy', 'hangs', 'fine', 'busy', 'fine', 'fine', 'fine', 'hangs', 'hangs', 'hangs', 'fine']);
const orders = new Orders(server);

// The first question is busy, then hangs, then is answered; the charge is busy once.
console.log(await orders.place({ id: 1, sku: 'kettle', cents: 2_400 }));
console.log(await orders.place({ id: 2, sku: 'kettle', cents: 2_400 }));
// Nobody can say what is in stock, and the order is placed all the same.
console.log(await orders.place({ id: 3, sku: 'lamp', cents: 5_000 }));

const cancelled = await orders
  .stock('lamp', AbortSignal.abort('the page was closed'))
  .catch((reason: unknown) => reason);
console.log(`cancelled: ${String(cancelled)}`);
for (const line of server.log) console.log(`  ${line}`);
// What hangs would keep nothing open: there is no socket behind it.
