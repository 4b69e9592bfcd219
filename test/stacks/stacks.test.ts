/**
 * Random stacks in `npm test`: the policies do what the rules say in 2,000 of them. The seed is HOLDFAST_SEED, or the same one every day; more:
 * `node test/stacks/main.ts --programs 100000`. That the comparison is able to fail is shown by `mutants.test.ts`.
 */
import process from 'node:process';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/testing/index.ts';
import { classify } from '../../src/index.ts';
import { check } from './check.ts';
import { generate } from './generate.ts';
import { known } from './kinds.ts';
import { interpret } from './reference.ts';
import { makeError, makeResult } from './run.ts';
import type { ErrorKind, JudgedKind, Script } from './script.ts';
import { shrink } from './shrink.ts';
import { compare, report } from './stacks.ts';

const SEED = process.env['HOLDFAST_SEED'] ?? 'holdfast';
const SCRIPTS = 2_000;

test(`policies do what the rules say in ${SCRIPTS} random stacks (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const { finding, compared } = await compare(SEED, 0, SCRIPTS);
  if (finding) expect.fail(report(SEED, finding));
  expect(compared).toBeGreaterThan(0.98 * SCRIPTS); // what the rules leave open is not compared (reference.ts)
});

test.each(Object.entries(known))('the reference knows what `classify` says of the kind %s', (kind, what) => {
  const it = isJudged(kind) ? makeResult(kind) : makeError({ kind: kind as ErrorKind }, kind);
  expect(classify(it)).toMatchObject({ verdict: what.verdict, health: what.health });
  if (what.code !== undefined) expect(it).toHaveProperty('code', what.code);
});

function isJudged(kind: string): kind is JudgedKind {
  return kind.startsWith('status') || kind === 'odd';
}

test('a script is the same whenever its seed and index are, and is JSON', () => {
  expect(generate('any text', 17)).toEqual(generate('any text', 17));
  expect(generate('any text', 17)).not.toEqual(generate('another', 17));
  for (let index = 0; index < 200; index++) {
    const script = generate(SEED, index);
    const copy = JSON.parse(JSON.stringify(script)) as Script;
    expect(copy).toEqual(script);
    expect(interpret(copy, seededRandom(1)).lists).toEqual(interpret(script, seededRandom(1)).lists);
  }
});

test('a difference is shrunk to what matters', async () => {
  const isLong = (script: Script): boolean => script.callers.some((caller) => caller.attempts.length > 1);
  const index = Array.from({ length: 100 }, (_, i) => i).find((i) => isLong(generate(SEED, i))) as number;
  const { callers, stacks } = await shrink(generate(SEED, index), (script) => Promise.resolve(isLong(script)));
  expect(callers).toHaveLength(1);
  expect(callers[0]?.attempts).toHaveLength(2);
  expect(stacks.flat()).toEqual([]);
});

test('a script that is none, because an option is refused, shows no difference', async () => {
  const script = generate(SEED, 0);
  const broken = { ...script, bulkheads: [{ limit: 0, queue: 0, dryRun: false }] };
  expect(await check(broken)).toEqual({ skipped: expect.stringContaining('limit') as string });
});
