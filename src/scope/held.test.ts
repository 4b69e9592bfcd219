/**
 * Scopes that are held (P5.5 of docs/reference/policies.md): their cleanups wait for bodies below that nobody waits for any more. Who holds them,
 * the timeouts of policies, is in src/policy/timeout; here is what a scope does about it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../test/seed.ts';
import { errorOf, settleInTime } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, suppressedErrors, TimeoutError, type Scope } from '../index.ts';
import { virtualTime } from '../testing/index.ts';
import { RunningScope, type Context } from './index.ts';

watchUnhandledRejections();

const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));

/** The context that a call linked to `s` hangs below: in a cleanup, its shield. */
const contextOf = (s: Scope): Context => (s as RunningScope).currentContext;

/** Holds `s`, and what is above it, for so long. */
function holdFor(s: Scope, ms: number): void {
  const release = contextOf(s).hold();
  void deaf(ms).then(release);
}

/** What happened, each with its time. */
class Log {
  readonly lines: string[] = [];
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  note(what: string): void {
    this.lines.push(`${what} ${this.now()}`);
  }

  /** A cleanup that takes no time, or so long. */
  cleanup(name: string, ms?: number): () => unknown {
    return () => {
      this.note(name);
      return ms === undefined ? undefined : deaf(ms).then(() => this.note(`${name} done`));
    };
  }
}

/** Runs until nothing is left, and gives what was noted. */
function logged(work: (log: Log) => Promise<unknown>): Promise<string[]> {
  return virtualTime(async (time) => {
    const log = new Log(() => time.now());
    const ended = work(log).then(() => log.note('end'));
    await time.runAll();
    await ended;
    expect(time.pending).toBe(0);
    return log.lines;
  });
}

describe('the cleanups of a scope that is held', () => {
  test('wait, after body and children have settled, and then run as always', async () => {
    const lines = await logged((log) =>
      scope(async (s) => {
        s.defer(log.cleanup('first'));
        s.defer(log.cleanup('second', 5));
        void s.go(() => deaf(20)).then(() => log.note('child'));
        holdFor(s, 100);
        await deaf(10);
        log.note('body');
      }),
    );
    expect(lines).toEqual(['body 10', 'child 20', 'second 100', 'second done 105', 'first 105', 'end 105']);
  });

  test('do not wait if the hold ends before', async () => {
    const lines = await logged((log) =>
      scope(async (s) => {
        s.defer(log.cleanup('cleanup'));
        holdFor(s, 5);
        await deaf(10);
      }),
    );
    expect(lines).toEqual(['cleanup 10', 'end 10']);
  });

  test('wait for all that hold it', async () => {
    const lines = await logged((log) =>
      scope((s) => {
        s.defer(log.cleanup('cleanup'));
        for (const ms of [30, 10, 50, 20]) holdFor(s, ms);
      }),
    );
    expect(lines).toEqual(['cleanup 50', 'end 50']);
  });

  test('wait again for one that came while they ran', async () => {
    const lines = await logged((log) =>
      scope((s) => {
        s.defer(log.cleanup('third'));
        s.defer(async () => {
          await deaf(10);
          log.note('second');
          holdFor(s, 40);
        });
        s.defer(log.cleanup('first'));
        holdFor(s, 5);
      }),
    );
    expect(lines).toEqual(['first 5', 'second 15', 'third 55', 'end 55']);
  });

  test('wait for one that comes at the moment when they are let go', async () => {
    const lines = await logged((log) =>
      scope((s) => {
        s.defer(log.cleanup('cleanup'));
        const context = contextOf(s);
        const release = context.hold();
        void deaf(10).then(() => {
          release();
          const again = context.hold();
          void deaf(10).then(again);
        });
      }),
    );
    expect(lines).toEqual(['cleanup 20', 'end 20']);
  });

  test('that are registered while it unwinds wait as well', async () => {
    const lines = await logged((log) =>
      scope((s) => {
        s.defer(async () => {
          await deaf(10);
          holdFor(s, 40);
          s.defer(log.cleanup('registered late'));
        });
      }),
    );
    expect(lines).toEqual(['registered late 50', 'end 50']);
  });

  test('none, nothing to wait for: a scope without cleanups, or whose last one has run, ends', async () => {
    const lines = await logged(async (log) => {
      await scope((s) => holdFor(s, 100));
      log.note('without');
      await scope((s) => {
        s.defer(async () => {
          await deaf(10);
          holdFor(s, 100);
        });
      });
    });
    expect(lines).toEqual(['without 0', 'end 10']);
  });

  test('wait without limit: neither cancellation nor a deadline ends that', async () => {
    const reason = new Error('cancelled');
    const exits: unknown[] = [];
    const lines = await logged((log) => {
      const controller = new AbortController();
      const held = scope({ signal: controller.signal, timeout: 50 }, async (s) => {
        s.defer((exit) => {
          log.note('cleanup');
          exits.push(exit.cancelled, exit.error);
        });
        holdFor(s, 1_000_000);
        await deaf(10);
      });
      void deaf(20).then(() => controller.abort(reason));
      return held;
    });
    expect(lines).toEqual(['cleanup 1000000', 'end 1000000']);
    expect(exits).toEqual([false, undefined]); // body and children had settled before
  });

  test('count the time of `cleanupTimeout` from their own start', async () => {
    const seen: unknown[] = [];
    const lines = await logged((log) =>
      errorOf(
        scope({ cleanupTimeout: 10 }, (s) => {
          s.defer(log.cleanup('last'));
          s.defer(async () => {
            log.note('overruns');
            seen.push(s.timeLeft(), s.signal.aborted);
            await s.sleep('1h');
          });
          holdFor(s, 100);
        }),
      ).then((error) => seen.push(error)),
    );
    expect(lines).toEqual(['overruns 100', 'last 110', 'end 110']);
    expect(seen).toEqual([10, false, expect.any(TimeoutError)]);
  });

  test('see the failure that brought the scope down, which comes out unchanged', async () => {
    const [failure, other] = [new Error('body'), new Error('cleanup')];
    const seen: unknown[] = [];
    const settled = await settleInTime(() =>
      scope((s) => {
        s.defer((exit) => {
          seen.push(exit.error);
          throw other;
        });
        holdFor(s, 100);
        throw failure;
      }),
    );
    expect(settled).toEqual({ error: failure });
    expect(seen).toEqual([failure]);
    expect(suppressedErrors(failure)).toEqual([other]);
  });

  test('run in the async context of their scope, whoever lets go', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const release = Promise.withResolvers<() => void>();
    const ended = storage.run('owner', () =>
      scope((s) => {
        s.defer(() => void seen.push(storage.getStore()));
        release.resolve(contextOf(s).hold());
      }),
    );
    await storage.run('another', async () => (await release.promise)());
    await ended;
    expect(seen).toEqual(['owner']);
  });
});

describe('a hold reaches the scopes above', () => {
  test('children, linked ones, to the root: each waits before its own cleanups', async () => {
    const lines = await logged((log) =>
      scope((root) => {
        root.defer(log.cleanup('root'));
        return root.go((child) => {
          child.defer(log.cleanup('child'));
          return scope({ signal: child }, (linked) => {
            linked.defer(log.cleanup('linked'));
            holdFor(linked, 100);
          });
        });
      }),
    );
    expect(lines).toEqual(['linked 100', 'child 100', 'root 100', 'end 100']);
  });

  test('but not those beside, nor those below', async () => {
    const lines = await logged((log) =>
      scope(async (root) => {
        void root.go((beside) => beside.defer(log.cleanup('beside')));
        await root.go((middle) => {
          holdFor(middle, 100);
          void middle.go((below) => below.defer(log.cleanup('below')));
        });
      }),
    );
    expect(lines).toEqual(['beside 0', 'below 0', 'end 0']);
  });

  test('also when those between have ended, because they had no cleanups', async () => {
    const lines = await logged((log) =>
      scope(async (root) => {
        root.defer(log.cleanup('root'));
        await scope({ signal: root }, (one) => scope({ signal: one.signal }, (two) => holdFor(two, 100)));
        log.note('between');
      }),
    );
    expect(lines).toEqual(['between 0', 'root 100', 'end 100']);
  });

  test('from a cleanup, the last one too: those after it, and the scopes above, though nothing reaches a cleanup from there', async () => {
    const lines = await logged((log) =>
      scope(async (root) => {
        root.defer(log.cleanup('root'));
        await root.go((child) =>
          scope({ signal: child }, (linked) => {
            linked.defer(async () => {
              log.note('linked, last');
              holdFor(linked, 10);
            });
            linked.defer(async () => {
              log.note('linked, first');
              holdFor(linked, 100);
            });
          }),
        );
        log.note('below have ended');
      }),
    );
    expect(lines).toEqual(['linked, first 0', 'linked, last 100', 'below have ended 100', 'root 110', 'end 110']);
  });

  test('from a cleanup that waits: those after it', async () => {
    for (const outer of [undefined, new AbortController().signal]) {
      const lines = await logged((log) =>
        scope({ signal: outer }, (s) => {
          s.defer(log.cleanup('last'));
          s.defer(async () => {
            holdFor(s, 100);
            await deaf(10);
            log.note('first');
          });
        }),
      );
      expect(lines).toEqual(['first 10', 'last 100', 'end 100']);
    }
  });

  test('from the option recover: what that has registered', async () => {
    let held: Scope | undefined;
    const lines = await logged((log) =>
      scope(
        {
          recover: async () => {
            await deaf(10);
            holdFor(held as Scope, 100);
            held?.defer(log.cleanup('registered by recover'));
          },
        },
        (s) => {
          held = s;
          throw new Error('body');
        },
      ),
    );
    expect(lines).toEqual(['registered by recover 110', 'end 110']);
  });

  test('and leaves nothing: a scope that was held, and its signal, can be used as always', async () => {
    const controller = new AbortController();
    await virtualTime(async (time) => {
      for (let i = 0; i < 3; i++) {
        const ended = scope({ signal: controller.signal }, (s) => {
          s.defer(() => {});
          holdFor(s, 10);
        });
        await time.runAll();
        await ended;
      }
      expect(time.now()).toBe(30);
    });
  });
});

test('whatever holds it, and for how long: each cleanup runs once all that held its scope before has let go', () =>
  fc.assert(
    fc.asyncProperty(
      // A line of linked scopes, each with so many cleanups that take so long, and holds of so long.
      fc.array(
        fc.record({
          cleanups: fc.array(fc.option(fc.nat(20)), { maxLength: 3 }),
          holds: fc.array(fc.nat(60), { maxLength: 3 }),
          bodyMs: fc.nat(20),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      async (levels) => {
        const ran: [level: number, at: number][] = [];
        const until = levels.map(() => 0);
        const endedAt = await virtualTime(async (time) => {
          const nest = (depth: number, signal?: Scope): Promise<void> =>
            scope({ signal }, async (s) => {
              const level = levels[depth] as (typeof levels)[number];
              for (const ms of level.cleanups) {
                s.defer(() => {
                  ran.push([depth, time.now()]);
                  return ms === null ? undefined : deaf(ms);
                });
              }
              for (const ms of level.holds) {
                holdFor(s, ms);
                for (let at = 0; at <= depth; at++) until[at] = Math.max(until[at] as number, time.now() + ms);
              }
              if (depth + 1 < levels.length) await nest(depth + 1, s);
              await deaf(level.bodyMs);
            });
          const ended = nest(0).then(() => time.now());
          await time.runAll();
          return ended;
        });
        expect(ran).toHaveLength(levels.flatMap(({ cleanups }) => cleanups).length);
        for (const [depth, at] of ran) expect(at).toBeGreaterThanOrEqual(until[depth] as number);
        // And no longer: a scope whose level, and those below, are free ends as soon as its own work has.
        const busy = levels.reduce(
          (sum, { bodyMs, cleanups }) => sum + bodyMs + cleanups.reduce<number>((all, ms) => all + (ms ?? 0), 0),
          0,
        );
        expect(endedAt).toBeLessThanOrEqual(Math.max(...until) + busy);
      },
    ),
    { seed, numRuns: 200 },
  ));
