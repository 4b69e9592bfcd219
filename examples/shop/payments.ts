/**
 * The payment server: another company's computer, played by a process of its own.
 *
 *     POST /charges               charge a card; with the header `idempotency-key` it happens once however often it is sent,
 *                                 without it, it happens every time
 *     GET  /charges/:key          what is known of a key at this moment
 *     POST /charges/:key/close    what is known of a key, for good: charged already, or closed and never charged any more
 *     GET  /ledger                everything, for the audit: it ends the day
 *     GET  /traffic               when it was asked for something, for the chart
 *
 * Why `close`, when one can ask? Because "not charged" is true only at the moment it is said: a request may still be on its
 * way, and some here really are (`late` in payments-faults.ts). Who gives goods back on such an answer is paid for goods that
 * somebody else has bought. Closing makes the answer final; real providers call it cancelling the payment intent.
 *
 * Every charge is written to a file before it is answered: a ledger that dies with its process would be none.
 */
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Charge, LedgerEntry, Traffic } from './ledger.ts';
import { cardIsDeclined, faultOfCharge, questionIsCut } from './payments-faults.ts';
import { Workers } from './payments-workers.ts';

/** Longer than every attempt and every question of one order together, so that a late charge is one that nobody waits for. */
const LATE_MS = 12_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    ledger: { type: 'string' },
    // Of the outage, in milliseconds from the first request on.
    'outage-from': { type: 'string', default: 'Infinity' },
    'outage-to': { type: 'string', default: 'Infinity' },
  },
});
const seed = Number(values.seed);
const ledgerFile = String(values.ledger);
const outage = { fromMs: Number(values['outage-from']), toMs: Number(values['outage-to']) };

interface Account extends LedgerEntry {
  questions: number;
}
const accounts = new Map<string, Account>();
/** How often it was asked to charge an order, by whatever keys. */
const sendsOf = new Map<string, number>();
/** The requests that will charge late. The timer runs them, or the reading of the ledger, whichever comes first. */
const stuck = new Set<() => void>();
const workers = new Workers();
let openedAt: number | undefined;
const requestsMs: number[] = [];

const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    // A sender that gave up in the middle of its own request is everyday life here; anything else is our bug.
    if (!request.destroyed) process.stderr.write(`payment server: ${(error as Error).stack}\n`);
    request.socket.destroy();
  });
});
server.keepAliveTimeout = 60_000;
// A shop that was stopped while this process started has hung up by now; `disconnect` says so, and the callback nothing.
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }, () => {}));

// It ends when the shop hangs up, or is gone.
process.once('disconnect', () => {
  for (const charge of stuck) charge();
  process.exit();
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, root, key = '', verb] = (request.url ?? '/').split('/');
  const route = `${request.method} /${root}${key && '/:key'}${verb ? `/${verb}` : ''}`;
  switch (route) {
    case 'POST /charges':
      countRequest();
      return charge(request, response);
    case 'GET /charges/:key':
    case 'POST /charges/:key/close':
      countRequest();
      return question(decodeURIComponent(key), verb === 'close', request, response);
    case 'GET /ledger':
      await closeTheDay();
      return answer(
        response,
        200,
        [...accounts.values()].map(({ questions: _, ...entry }) => entry),
      );
    case 'GET /traffic':
      return answer(response, 200, { openedAt: openedAt ?? Date.now(), requestsMs } satisfies Traffic);
    default:
      return answer(response, 404, { error: `no such place: ${route}` });
  }
}

/** The first request opens the day. */
function countRequest(): void {
  if (openedAt === undefined) {
    openedAt = Date.now();
    if (outage.fromMs < outage.toMs) {
      setTimeout(() => workers.stall(true), outage.fromMs);
      setTimeout(() => workers.stall(false), outage.toMs);
    }
  }
  requestsMs.push(Date.now() - openedAt);
}

async function charge(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { order, cents } = JSON.parse(await textOf(request)) as { order: string; cents: number };
  const send = (sendsOf.get(order) ?? 0) + 1;
  sendsOf.set(order, send);
  const given = request.headers['idempotency-key'];
  // Without a key of the sender's, every request is a wish of its own.
  const account = accountOf(typeof given === 'string' ? given : `${order}/request-${send}`, order);
  account.sends++;

  const fault = faultOfCharge(seed, order, send);
  if (fault === 'unavailable') return answer(response, 503, { error: 'try again later' });
  if (fault === 'hang-before') return;
  if (fault === 'cut-before') return void request.socket.destroy();
  if (fault === 'late') return chargeLate(account, cents);
  const admission = await workers.work(() => request.socket.destroyed);
  if (admission === 'sender gone') return;
  if (admission === 'no place') return answer(response, 503, { error: 'too many requests are waiting' });
  if (fault === 'slow') await delay(20 + ((cents * 7) % 60));

  const [status, body] = settle(account, cents);
  if (fault === 'hang-after') return;
  if (fault === 'cut-after') return void request.socket.destroy();
  if (fault === 'garbage') return void response.end('<html>Welcome!</html>');
  if (fault === 'half') {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': 500 });
    return void response.write(JSON.stringify(body).slice(0, 12), () => request.socket.destroy());
  }
  return answer(response, status, body);
}

/** The one place where money moves. */
function settle(account: Account, cents: number): [status: number, body: object] {
  if (account.charges[0]) return [200, account.charges[0]];
  if (account.closed) return [409, { error: 'this key was closed' }];
  if (cardIsDeclined(seed, account.order)) {
    account.declined = true;
    return [402, { error: 'card declined' }];
  }
  const id = `ch_${createHash('sha256').update(`${seed}/${account.key}`).digest('hex').slice(0, 12)}`;
  const made: Charge = { id, cents };
  account.charges.push(made);
  note(account);
  return [201, made];
}

function chargeLate(account: Account, cents: number): void {
  const chargeNow = (): void => {
    clearTimeout(timer);
    stuck.delete(chargeNow);
    settle(account, cents);
  };
  const timer = setTimeout(chargeNow, LATE_MS);
  stuck.add(chargeNow);
}

async function question(
  key: string,
  close: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const account = accountOf(key, '');
  account.questions++;
  if (questionIsCut(seed, account.order || key, account.questions)) return void request.socket.destroy();
  const admission = await workers.work(() => request.socket.destroyed);
  if (admission === 'sender gone') return;
  if (admission === 'no place') return answer(response, 503, { error: 'too many requests are waiting' });
  if (close && account.charges.length === 0 && !account.closed) {
    account.closed = true;
    note(account);
  }
  answer(response, 200, { charge: account.charges[0] ?? null, closed: account.closed });
}

/** What waits or is stuck happens now, whether or not anybody still wants to know: the ledger that is read next has all of it. */
async function closeTheDay(): Promise<void> {
  for (const chargeNow of stuck) chargeNow();
  workers.close();
  await delay(200); // the slowest answer under way
}

function accountOf(key: string, order: string): Account {
  let account = accounts.get(key);
  if (!account)
    accounts.set(key, (account = { key, order, sends: 0, charges: [], declined: false, closed: false, questions: 0 }));
  account.order ||= order;
  return account;
}

function note({ questions: _, ...entry }: Account): void {
  appendFileSync(ledgerFile, `${JSON.stringify(entry)}\n`);
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}
