/**
 * What holds for any input, beyond the fuzzer of `test/fuzz`, which compares whole programs with the rules: `map` and `race` under any timing,
 * `suppressedErrors` under any unwinding, deadlines under any nesting. HOLDFAST_SEED is the seed.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../testing/index.ts';
import { seed } from '../../test/seed.ts';
import { errorOf, settle, settleInTime } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, suppressedErrors, type Exit, type Scope } from '../index.ts';

watchUnhandledRejections();

const RUNS = { seed, numRuns: 100 };
const ms = fc.nat({ max: 20 });

describe('map', () => {
  test('keeps the order, starts in order, never exceeds concurrency, and is never idle while items are left', () =>
    fc.assert(
      fc.asyncProperty(fc.array(ms, { maxLength: 20 }), fc.integer({ min: 1, max: 6 }), async (delays, concurrency) => {
        let running = 0;
        let most = 0;
        const started: number[] = [];
        const settled = await settleInTime(async (time) =>
          scope(async (s) => {
            const results = await s.map(delays.entries(), { concurrency }, async ([place, delay], child) => {
              started.push(place);
              most = Math.max(most, ++running);
              child.defer(() => void running--);
              await child.sleep(delay);
              return place;
            });
            return [results, time.now()];
          }),
        );
        const places = delays.map((_, place) => place);
        // Greedy: each item goes to the worker that is free first.
        const free = Array.from({ length: concurrency }, () => 0);
        for (const delay of delays) {
          const first = free.indexOf(Math.min(...free));
          free[first] = (free[first] as number) + delay;
        }
        expect(settled).toEqual({ value: [places, Math.max(...free)] });
        expect(started).toEqual(places);
        expect(most).toBe(Math.min(concurrency, delays.length));
      }),
      RUNS,
    ));

  test('with failing items: the earliest failure comes out, no item begins after it, and none is left running', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ delay: ms, fails: fc.boolean(), deaf: fc.boolean() }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        async (items, concurrency) => {
          let running = 0;
          let firstFailure: unknown;
          let begunAfter = 0;
          const settled = await settleInTime(() =>
            scope((s) =>
              s.map(items, { concurrency }, async ({ delay, fails, deaf }, child) => {
                if (firstFailure !== undefined) begunAfter++;
                running++;
                child.defer(() => void running--);
                await (deaf ? scope((own) => own.sleep(delay)) : child.sleep(delay));
                if (!fails) return;
                const error = new Error('item');
                firstFailure ??= error;
                throw error;
              }),
            ),
          );
          if (firstFailure === undefined) expect(settled).toEqual({ value: items.map(() => undefined) });
          else expect('error' in settled && settled.error === firstFailure).toBe(true);
          expect([begunAfter, running]).toEqual([0, 0]);
        },
      ),
      RUNS,
    ));
});

describe('race', () => {
  test('picks the first success in time, the first of the list among equals; all lost: the errors in order', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ delay: ms, fails: fc.boolean() }), { minLength: 1, maxLength: 8 }),
        async (contenders) => {
          let running = 0;
          const errors = contenders.map((_, place) => new Error(`contender ${place}`));
          const settled = await settleInTime(() =>
            scope((s) =>
              s.race(
                contenders.map(({ delay, fails }, place) => async (it: Scope) => {
                  running++;
                  it.defer(() => void running--);
                  await it.sleep(delay);
                  if (fails) throw errors[place];
                  return place;
                }),
              ),
            ),
          );
          const successes = contenders.filter(({ fails }) => !fails).map(({ delay }) => delay);
          const best = contenders.findIndex(({ delay, fails }) => !fails && delay === Math.min(...successes));
          expect(settled).toEqual(best >= 0 ? { value: best } : { error: errors[0] });
          expect(suppressedErrors(errors[0])).toEqual(best >= 0 ? [] : errors.slice(1));
          expect(running).toBe(0);
        },
      ),
      RUNS,
    ));
});

describe('suppressedErrors', () => {
  const verb = fc.constantFrom(
    'throw',
    'wrap',
    'rethrow',
    'recover',
    'fail',
    'fail with an old one',
    'throw an old one',
  );

  test('never list the error itself, nor one twice; and none is lost: each is reachable from the one that comes out', () =>
    fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(verb, { maxLength: 8 }), async (bodyFails, verbs) => {
        const made: Error[] = [];
        const make = (cause?: unknown): Error => {
          made.push(new Error(`error ${made.length}`, cause === undefined ? {} : { cause }));
          return made.at(-1) as Error;
        };
        const settled = await settle(() =>
          scope((s) => {
            for (const step of verbs.toReversed()) {
              s.defer((exit: Exit) => {
                const old = (): Error => made[0] ?? make();
                if (step === 'recover') exit.recover();
                if (step === 'fail') exit.fail(make());
                if (step === 'fail with an old one') exit.fail(old());
                if (step === 'throw') throw make();
                if (step === 'wrap') throw make(exit.error);
                if (step === 'throw an old one') throw old();
                if (step === 'rethrow' && !exit.ok) throw exit.error;
              });
            }
            if (bodyFails) throw make();
          }),
        );
        for (const error of made) {
          const beside = suppressedErrors(error);
          expect(beside).not.toContain(error);
          expect(new Set(beside).size).toBe(beside.length);
        }
        if (!('error' in settled)) return; // recovered, and nothing followed that could keep it
        const reachable = new Set([settled.error]);
        for (const error of reachable) {
          for (const other of suppressedErrors(error)) reachable.add(other);
          if (error instanceof Error && error.cause !== undefined) reachable.add(error.cause);
        }
        expect(made.filter((error) => !reachable.has(error))).toEqual([]);
      }),
      { ...RUNS, numRuns: 300 },
    ));
});

describe('deadlines', () => {
  test('timeLeft is that of the nearest one, whatever the nesting, by children and by links', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ timeout: fc.option(fc.integer({ min: 1, max: 1_000 })), wait: ms, link: fc.boolean() }), {
          minLength: 1,
          maxLength: 6,
        }),
        async (levels) => {
          await virtualTime(async (time) => {
            let nearest = Infinity;
            const descend = async (s: Scope | undefined, depth: number): Promise<void> => {
              const level = levels[depth];
              if (level === undefined) return;
              const options = level.timeout === null ? {} : { timeout: level.timeout };
              nearest = Math.min(nearest, time.now() + (level.timeout ?? Infinity));
              const body = async (inner: Scope): Promise<void> => {
                expect(inner.deadline).toBe(nearest);
                expect(inner.timeLeft()).toBe(Math.max(0, nearest - time.now()));
                await scope((own) => own.sleep(level.wait));
                expect(inner.timeLeft()).toBe(Math.max(0, nearest - time.now()));
                if (inner.timeLeft() > 0) await descend(inner, depth + 1);
              };
              if (s === undefined) await scope(options, body);
              else if (level.link) await scope({ ...options, signal: s }, body);
              else await s.go(options, body);
            };
            const ended = descend(undefined, 0);
            await time.runAll();
            await ended;
            expect(time.pending).toBe(0);
          });
        },
      ),
      RUNS,
    ));
});

describe('cancellation', () => {
  test('reaches every scope below, by children and by links, with one reason, whenever it comes', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), ms, async (links, when) => {
        const reason = new Error('cancelled');
        const reasons: unknown[] = [];
        const descend = async (s: Scope, depth: number): Promise<void> => {
          const link = links[depth];
          const body = (inner: Scope): Promise<void> => descend(inner, depth + 1);
          const below = link === undefined ? undefined : link ? scope({ signal: s }, body) : s.go(body);
          reasons.push(await errorOf(s.sleep('1h')));
          await below?.catch(() => {});
        };
        await settleInTime(async (time) => {
          const controller = new AbortController();
          const ended = settle(() => scope({ signal: controller.signal }, (s) => descend(s, 0)));
          await scope((own) => own.sleep(when));
          controller.abort(reason);
          await ended;
          expect(time.now()).toBe(when);
        });
        expect(reasons).toHaveLength(links.length + 1);
        expect(reasons.every((it) => it === reason)).toBe(true);
      }),
      RUNS,
    ));
});
