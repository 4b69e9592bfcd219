/** The shop as a whole: real processes, a real database, real connections that really break. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Audit } from './audit.ts';
import { chance } from './chance.ts';
import type { Figures } from './figures.ts';
import type { Form } from './options.ts';
import { COLUMNS } from './orders.ts';

const PROGRAM = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Where signals strike. A red run says which moment it was; the same seed brings it back, as far as the machine does. */
const SEED = Number(process.env['SHOP_TEST_SEED'] ?? 7);

const places: string[] = [];
afterAll(() => places.forEach((place) => rmSync(place, { recursive: true })));

/** A directory of its own for each run, since they run side by side. */
function newPlace(): string {
  const place = mkdtempSync(join(tmpdir(), 'holdfast-shop-test-'));
  places.push(place);
  return place;
}

interface Day extends Audit {
  readonly form: Form;
  readonly figures: Figures;
}

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Of the payment servers, in the order of their days. */
  readonly serverPids: readonly number[];
  /** What the report says of each day that was begun. */
  readonly days: readonly Day[];
  /** Everything in the temporary directory that the program was given. */
  readonly leftovers: readonly string[];
  readonly svg: string;
}

/** Runs the shop. `meanwhile` begins whenever a payment server listens. */
async function shop(
  args: readonly string[],
  meanwhile?: (shop: { kill(signal: NodeJS.Signals): void; serverPid: number; day: number }) => unknown,
): Promise<Run> {
  const place = newPlace();
  const [temporary, report, chart] = ['tmp', 'report.json', 'chart.svg'].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(temporary);
  const always = ['--quiet', '--chart', chart, '--report', report];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, ...always, ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  const serverPids: number[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    for (const [, pid] of [...out.matchAll(/payment server (\d+) at/g)].slice(serverPids.length)) {
      const serverPid = Number(pid);
      const day = serverPids.push(serverPid);
      void meanwhile?.({ kill: (signal) => child.kill(signal), serverPid, day });
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return {
    code,
    out,
    err,
    serverPids,
    days: existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as { days: Day[] }).days : [],
    leftovers: readdirSync(temporary),
    svg: existsSync(chart) ? readFileSync(chart, 'utf8') : '',
  };
}

/** Nothing is half done, left behind, or still running. */
function expectCleanEnd({ days, leftovers, serverPids }: Run): void {
  expect(days.length).toBeGreaterThan(0);
  for (const day of days) {
    expect(day.accounted).toBe(true);
    expect(day.lines.filter((line) => line.row === 'reserved')).toEqual([]);
  }
  expect(leftovers).toEqual([]);
  expect(serverPids.filter(isRunning)).toEqual([]);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function orderFile(...lines: string[]): string {
  const file = join(newPlace(), 'orders.csv');
  writeFileSync(file, [COLUMNS.join(','), ...lines, ''].join('\n'));
  return file;
}

describe.concurrent('a day in the shop', () => {
  it('ends with books that balance, with a policy, and leaves nothing behind', async () => {
    const run = await shop(['--with', '--count', '200', '--outage', '0']);

    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toContain('The books balance.');
    expect(run.serverPids).toHaveLength(1);
    const [day, ...others] = run.days;
    expect(others).toEqual([]);
    expect(day).toMatchObject({ form: 'with', balanced: true });
    expect(day!.lines).toHaveLength(200);
    expect(day!.lines.filter((line) => line.row === 'confirmed' && line.charges === 1).length).toBeGreaterThan(150);
    expect(day!.lines.some((line) => line.sends > 1)).toBe(true);
    expectCleanEnd(run);
  });

  it('recovers a bug in one order, reports it with its trace id, and goes on with the others', async () => {
    const file = orderFile(
      'a,ada@example.org,mug,1,1000,',
      'b,ben@example.org,mug,1,1000,SPRING10', // finds the bug between reservation and charge
      'c,chiara,mug,1,1000,', // finds the one behind the charge
      'd,dmitri@example.org,mug,1,1000,SPRING-10',
      'e,elif@example.org,mug,97,1000,', // stock is 95 % of what is asked for: there are enough for the others
    );
    const run = await shop(['--with', '--orders', file, '--rate', '5', '--outage', '0', '--seed', '3']);

    expect(run.code).toBe(0);
    expect(run.days[0]!.lines.map(({ id, ending, row, charges, cents }) => [id, ending, row, charges, cents])).toEqual([
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

describe.concurrent('the same day without and with a policy', () => {
  it('is a storm without, and none with; charges twice without, and never with; all of it is accounted for', async () => {
    const run = await shop(['--count', '700']);

    expect(run).toMatchObject({ code: 0, err: '' });
    const [without, with_] = run.days;
    expect(without).toMatchObject({ form: 'without', balanced: false, accounted: true });
    expect(with_).toMatchObject({ form: 'with', balanced: true });
    for (const day of run.days) {
      expect(day.lines).toHaveLength(700);
      expect(day.lines.filter((line) => line.ending === 'not begun' || line.ending.startsWith('stopped'))).toEqual([]);
    }

    expect(without!.damage.twice.orders).toBeGreaterThan(50);
    expect(without!.damage.forNothing.orders).toBeGreaterThan(50);
    expect(with_!.damage).toEqual({ twice: { orders: 0, cents: 0 }, forNothing: { orders: 0, cents: 0 } });
    // Two to three times as many, however busy the machine is; during the outage five to ten times, but only on a quiet one.
    expect(without!.figures.requests / with_!.figures.requests).toBeGreaterThan(1.4);
    const placed = (day: Day) => day.lines.filter((line) => line.ending === 'placed').length;
    expect(placed(with_!)).toBeGreaterThan(placed(without!));
    expect(run.out).toMatch(/^ +without a policy +with a policy$/m);
    expect(run.out).toContain('░ outage, from 1.75 s to 4.75 s');
    expect(run.svg).toMatch(/^<svg [^]*>without a policy<[^]*>with a policy<[^]*<\/svg>\n$/);
    expectCleanEnd(run);
  });
});

describe.concurrent('the loop made by hand', () => {
  it.for([
    [[], true],
    [['--keys'], false],
  ] as const)('given %j, charges twice: %s', async ([keys, twice]) => {
    const run = await shop(['--without', '--count', '200', '--outage', '0', ...keys]);

    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.days[0]!.damage.twice.orders > 0).toBe(twice);
    expectCleanEnd(run);
  });
});

describe.concurrent('a day that is cut short', () => {
  const moments = ['first', 'second', 'third', 'fourth'].map((which) => Math.floor(chance(SEED, which) ** 2 * 1_500));

  it.for(moments.map((ms, index) => [index % 2 === 0 ? '--with' : '--without', ms] as const))(
    'ends cleanly when SIGINT comes after the opening, whatever is under way (%s, %i ms)',
    async ([form, afterMs]) => {
      const run = await shop([form], ({ kill }) => setTimeout(kill, afterMs, 'SIGINT'));

      expect(run).toMatchObject({ code: 130, err: '' });
      expect(run.days[0]!.lines.some((line) => line.ending === 'not begun')).toBe(true);
      expectCleanEnd(run);
    },
  );

  it('ends cleanly in the middle of the outage: what became of the charges under way is found out', async () => {
    const run = await shop(['--with', '--count', '240'], ({ kill }) => setTimeout(kill, 1_300, 'SIGINT'));

    expect(run).toMatchObject({ code: 130, err: '' });
    expect(run.days[0]!.lines.filter((line) => line.ending.startsWith('stopped')).length).toBeGreaterThan(0);
    expect(run.days[0]!.balanced).toBe(true);
    expectCleanEnd(run);
  });

  it('ends cleanly in the second day, and tells of both', async () => {
    const run = await shop(['--count', '60', '--outage', '0'], ({ kill, day }) => {
      if (day === 2) setTimeout(kill, 200, 'SIGINT');
    });

    expect(run).toMatchObject({ code: 130, err: '' });
    expect(run.days.map(({ form }) => form)).toEqual(['without', 'with']);
    expect(run.out).toContain('AUDIT without a policy');
    expect(run.out).toContain('AUDIT with a policy');
    expectCleanEnd(run);
  });

  it('ends as cleanly on SIGTERM, with its own exit code', async () => {
    const run = await shop(['--with'], ({ kill }) => setTimeout(kill, 300, 'SIGTERM'));

    expect(run).toMatchObject({ code: 143, err: '' });
    expectCleanEnd(run);
  });

  it('holds the orders under way when the payment server dies, and claims nothing of them', async () => {
    const run = await shop(['--with'], ({ serverPid }) => setTimeout(() => process.kill(serverPid, 'SIGKILL'), 600));

    expect(run.code).toBe(1);
    expect(run.err).toContain('PaymentServerGone');
    expect(run.out).toContain('its ledger is read from the file that it has left');
    expect(run.days[0]!.balanced).toBe(true);
    const held = run.days[0]!.lines.filter((line) => line.row === 'held');
    expect(held.length).toBeGreaterThan(0);
    for (const line of held) expect(run.out).toContain(`order ${line.id}: the ledger says`);
    expectCleanEnd(run);
  });
});

describe.concurrent('wrong input', () => {
  it('is refused in words, and nothing is started', async () => {
    const run = await shop(['--rate', 'many']);

    expect(run).toMatchObject({
      code: 2,
      out: '',
      err: '--rate: found "many", expected a whole number from 1 to 250\nNothing was started. See --help.\n',
      serverPids: [],
      days: [],
    });
    expect(run.leftovers).toEqual([]);
  });

  it('names every bad line of an order file, with what was found and what was expected', async () => {
    const file = orderFile(
      'a,ada@example.org,mug,1,1000,',
      'a,ben@example.org,mug,0,1000,',
      'c,chiara@example.org,mug',
    );
    const run = await shop(['--orders', file]);

    expect(run).toMatchObject({ code: 2, out: '', serverPids: [] });
    expect(run.err).toContain('3 problems');
    expect(run.err).toContain(`line 3: found id "a" again, expected an id that line 2 does not have`);
    expect(run.err).toContain(`line 3: found quantity "0", expected a whole number from 1 to 1000`);
    expect(run.err).toContain(`line 4: found 3 fields, expected 6 (${COLUMNS.join(',')})`);
  });
});
