/**
 * The payment server: another company's computer, played by a process of its own.
 *
 *     POST /charges               charge a card; the header `idempotency-key` makes it happen once however often it is sent
 *     GET  /charges/:key          what is known of a key at this moment
 *     POST /charges/:key/close    what is known of a key, for good: charged already, or closed and never charged any more
 *     GET  /ledger                everything, for the audit
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
import type { Charge, LedgerEntry } from './ledger.ts';
import { cardIsDeclined, faultOfCharge, questionIsCut } from './payments-faults.ts';

/** Longer than every attempt and every question of one order together, so that a late charge is one that nobody waits for. */
const LATE_MS = 8_000;

const { values } = parseArgs({ options: { seed: { type: 'string' }, ledger: { type: 'string' } } });
const seed = Number(values.seed);
const ledgerFile = String(values.ledger);

interface Account extends LedgerEntry {
  questions: number;
}
const accounts = new Map<string, Account>();
/** The requests that will charge late. The timer runs them, or the reading of the ledger, whichever comes first. */
const stuck = new Set<() => void>();

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
      return charge(request, response);
    case 'GET /charges/:key':
    case 'POST /charges/:key/close':
      return question(decodeURIComponent(key), verb === 'close', request, response);
    case 'GET /ledger':
      for (const chargeNow of stuck) chargeNow();
      return answer(
        response,
        200,
        [...accounts.values()].map(({ questions: _, ...entry }) => entry),
      );
    default:
      return answer(response, 404, { error: `no such place: ${route}` });
  }
}

async function charge(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const key = String(request.headers['idempotency-key']);
  const { order, cents } = JSON.parse(await textOf(request)) as { order: string; cents: number };
  const account = accountOf(key, order);
  account.sends++;

  const fault = faultOfCharge(seed, key, account.sends);
  if (fault === 'unavailable') return answer(response, 503, { error: 'try again later' });
  if (fault === 'hang-before') return;
  if (fault === 'cut-before') return void request.socket.destroy();
  if (fault === 'late') return chargeLate(account, cents);
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
  if (cardIsDeclined(seed, account.key)) {
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

function question(key: string, close: boolean, request: IncomingMessage, response: ServerResponse): void {
  const account = accountOf(key, '');
  account.questions++;
  if (questionIsCut(seed, key, account.questions)) return void request.socket.destroy();
  if (close && account.charges.length === 0 && !account.closed) {
    account.closed = true;
    note(account);
  }
  answer(response, 200, { charge: account.charges[0] ?? null, closed: account.closed });
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
