/** The shop as a whole: real processes, a real database, real connections that really break. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OrderLine } from './audit.ts';
import { chance } from './chance.ts';
import { COLUMNS } from './orders.ts';

const PROGRAM = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Where signals strike. A red run says which moment it was; the same seed brings it back, as far as the machine does. */
const SEED = Number(process.env['SHOP_TEST_SEED'] ?? 7);

let place: string;
beforeEach(() => void (place = mkdtempSync(join(tmpdir(), 'holdfast-shop-test-'))));
afterEach(() => rmSync(place, { recursive: true }));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Of the payment server; 0 if none was started. */
  readonly serverPid: number;
}

interface Report {
  readonly balanced: boolean;
  readonly lines: readonly OrderLine[];
}

/** Runs the shop with a temporary directory of its own. `meanwhile` begins when the payment server listens. */
async function shop(
  args: readonly string[],
  meanwhile?: (shop: { kill(signal: NodeJS.Signals): void; serverPid: number }) => unknown,
): Promise<Run> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, '--quiet', ...args], {
    env: { ...process.env, TMPDIR: emptyPlace('tmp') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  let serverPid = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    const found = /process (\d+) at/.exec(out);
    if (!found || serverPid > 0) return;
    serverPid = Number(found[1]);
    void meanwhile?.({ kill: (signal) => child.kill(signal), serverPid });
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err, serverPid };
}

function emptyPlace(name: string): string {
  return mkdtempSync(join(place, `${name}-`));
}

/** Everything in any of the temporary directories that the program was given. */
function leftovers(): string[] {
  return readdirSync(place)
    .filter((name) => name.startsWith('tmp-'))
    .flatMap((name) => readdirSync(join(place, name)));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function report(name = 'report.json'): Report {
  return JSON.parse(readFileSync(join(place, name), 'utf8')) as Report;
}

function halfDone(): unknown[] {
  const db = new DatabaseSync(join(place, 'shop.db'), { readOnly: true });
  const rows = db.prepare(`SELECT order_id FROM reservations WHERE state = 'reserved'`).all();
  db.close();
  return rows;
}

const kept = (): string[] => ['--report', join(place, 'report.json'), '--db', join(place, 'shop.db')];

function orderFile(...lines: string[]): string {
  const file = join(place, 'orders.csv');
  writeFileSync(file, [COLUMNS.join(','), ...lines, ''].join('\n'));
  return file;
}

describe('a day in the shop', () => {
  it('ends with books that balance, and leaves nothing behind', async () => {
    const run = await shop(['--count', '200', ...kept()]);

    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toContain('The books balance.');
    expect(report().balanced).toBe(true);
    expect(report().lines).toHaveLength(200);
    expect(report().lines.filter((line) => line.row === 'confirmed' && line.charges === 1).length).toBeGreaterThan(150);
    expect(report().lines.some((line) => line.sends > 1)).toBe(true);
    expect(run.out).toMatch(/connections +200 +200\n +statements +200 +200\n +temporary files +200 +200/);
    expect(halfDone()).toEqual([]);
    expect(leftovers()).toEqual([]);
    expect(isRunning(run.serverPid)).toBe(false);
  });

  it('is the same day again, order by order, for one seed and one order at a time', async () => {
    const days = await Promise.all(
      ['a.json', 'b.json'].map(async (file) => {
        const run = await shop(['--count', '120', '--concurrency', '1', '--seed', '11', '--report', join(place, file)]);
        expect(run).toMatchObject({ code: 0, err: '' });
        return report(file).lines;
      }),
    );
    expect(days[0]).toEqual(days[1]);
  });

  it('recovers a bug in one order, reports it with its trace id, and goes on with the others', async () => {
    const file = orderFile(
      'a,ada@example.org,mug,1,1000,',
      'b,ben@example.org,mug,1,1000,SPRING10', // finds the bug between reservation and charge
      'c,chiara,mug,1,1000,', // finds the one behind the charge
      'd,dmitri@example.org,mug,1,1000,SPRING-10',
      'e,elif@example.org,mug,97,1000,', // stock is 95 % of what is asked for: there are enough for the others
    );
    const run = await shop(['--orders', file, '--concurrency', '1', '--seed', '3', ...kept()]);

    expect(run.code).toBe(0);
    expect(report().lines.map(({ id, ending, row, charges, cents }) => [id, ending, row, charges, cents])).toEqual([
      ['a', 'placed', 'confirmed', 1, 1000],
      ['b', 'recovered: released', 'released', 0, 0],
      ['c', 'recovered: confirmed', 'confirmed', 1, 1000],
      ['d', 'placed', 'confirmed', 1, 900],
      ['e', 'refused: out of stock', 'none', 0, 0],
    ]);
    expect(run.out).toMatch(/bug in order b: TypeError: .*\n +at priceInCents .*trace [0-9a-f]{32}\n/);
    expect(run.out).toMatch(/bug in order c: TypeError: .*\n +at Receipt.publish .*trace [0-9a-f]{32}\n/);
  });
});

describe('a day that is cut short', () => {
  const moments = ['first', 'second', 'third', 'fourth'].map((which) => Math.floor(chance(SEED, which) ** 2 * 1_500));

  it.for(moments)('ends cleanly when SIGINT comes %i ms after the opening, whatever is under way', async (afterMs) => {
    const run = await shop(kept(), ({ kill }) => setTimeout(kill, afterMs, 'SIGINT'));

    expect(run).toMatchObject({ code: 130, err: '' });
    expect(run.out).toContain('The books balance.');
    expect(report().balanced).toBe(true);
    expect(report().lines.some((line) => line.ending === 'not begun')).toBe(true);
    expect(halfDone()).toEqual([]);
    expect(leftovers()).toEqual([]);
    expect(isRunning(run.serverPid)).toBe(false);
  });

  it('ends as cleanly on SIGTERM, with its own exit code', async () => {
    const run = await shop(kept(), ({ kill }) => setTimeout(kill, 300, 'SIGTERM'));

    expect(run).toMatchObject({ code: 143, err: '' });
    expect(report().balanced).toBe(true);
    expect(halfDone()).toEqual([]);
    expect(leftovers()).toEqual([]);
    expect(isRunning(run.serverPid)).toBe(false);
  });

  it('holds the orders under way when the payment server dies, and claims nothing of them', async () => {
    const run = await shop(kept(), ({ serverPid }) => setTimeout(() => process.kill(serverPid, 'SIGKILL'), 600));

    expect(run.code).toBe(1);
    expect(run.err).toContain('PaymentServerGone');
    expect(run.out).toContain('its ledger is read from the file that it has left');
    expect(report().balanced).toBe(true);
    const held = report().lines.filter((line) => line.row === 'held');
    expect(held.length).toBeGreaterThan(0);
    for (const line of held) expect(run.out).toContain(`order ${line.id}: the ledger says`);
    expect(halfDone()).toEqual([]);
    expect(leftovers()).toEqual([]);
  });
});

describe('wrong input', () => {
  it('is refused in words, and nothing is started', async () => {
    const run = await shop(['--concurrency', 'many']);

    expect(run).toEqual({
      code: 2,
      out: '',
      err: '--concurrency: found "many", expected a whole number from 1 to 256\nNothing was started. See --help.\n',
      serverPid: 0,
    });
    expect(leftovers()).toEqual([]);
  });

  it('names every bad line of an order file, with what was found and what was expected', async () => {
    const file = orderFile(
      'a,ada@example.org,mug,1,1000,',
      'a,ben@example.org,mug,0,1000,',
      'c,chiara@example.org,mug',
    );
    const run = await shop(['--orders', file]);

    expect(run).toMatchObject({ code: 2, out: '', serverPid: 0 });
    expect(run.err).toContain('3 problems');
    expect(run.err).toContain(`line 3: found id "a" again, expected an id that line 2 does not have`);
    expect(run.err).toContain(`line 3: found quantity "0", expected a whole number from 1 to 1000`);
    expect(run.err).toContain(`line 4: found 3 fields, expected 6 (${COLUMNS.join(',')})`);
  });
});
