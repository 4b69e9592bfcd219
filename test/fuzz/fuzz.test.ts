/**
 * The fuzzer in `npm test`: the scope does what the rules say in 20,000 generated programs, and the fuzzer is able to fail: it finds every
 * mutant of the rules. The seed is HOLDFAST_SEED, or the same one every day; a longer run: `npm run fuzz -- --programs 1000000`.
 */
import { describe, expect, test } from 'vitest';
import { fuzz, report } from './fuzz.ts';
import { generate } from './generate.ts';
import { mutants } from './mutants.ts';
import { interpret } from './reference.ts';
import { findsMutant } from './fuzz.ts';

const SEED = process.env['HOLDFAST_SEED'] ?? 'holdfast';
const PROGRAMS = 20_000;

test(
  `the scope does what the rules say in ${PROGRAMS} generated programs (seed ${SEED})`,
  { timeout: 120_000 },
  async () => {
    const { finding, compared } = await fuzz({ seed: SEED, to: PROGRAMS });
    if (finding) expect.fail(report(SEED, finding));
    expect(compared).toBeGreaterThan(0.95 * PROGRAMS);
  },
);

describe('the fuzzer finds each mutant of the rules', () => {
  test.each(mutants)('$rule: $changes ($name)', { timeout: 60_000 }, async ({ name }) => {
    const programs = await findsMutant(SEED, name, PROGRAMS);
    expect(programs, `not found in ${PROGRAMS} programs`).toBeDefined();
    console.log(`${name}: red after ${programs} programs`);
  });
});

test('a program is the same whenever its seed and index are', () => {
  expect(generate('any text', 17)).toEqual(generate('any text', 17));
  expect(generate('any text', 17)).not.toEqual(generate('another', 17));
});

test('the reference gives the same trace for the same program', () => {
  for (let index = 0; index < 200; index++) {
    const program = generate(SEED, index);
    expect(interpret(program)).toEqual(interpret(JSON.parse(JSON.stringify(program))));
  }
});
