/** P13: the usual layers in the usual order. */
import { describe, expect, test } from 'vitest';
import { errorInTime } from '../../../test/settle.ts';
import { failWhen, policy, standard, timeout, type StandardOptions } from '../../index.ts';
import { recordEvents, virtualTime } from '../../testing/index.ts';

const down = (): never => {
  throw new Error('down');
};

/** Without the warning of P15.3. */
const text = (options?: StandardOptions): string => String(standard(options)).replace(/ \[.*\]$/, '');

const asIs = ['timeout 30s', 'retry ×3 (100ms‥10s, full jitter, budget)', 'breaker', 'timeout 10s'];

describe('P13.1 standard', () => {
  test('has timeout 30 s, retry 3, a breaker and attempt timeout 10 s', () => {
    expect(text()).toBe(asIs.join(' → '));
    expect(text({})).toBe(text());
    expect(text({ retry: undefined, fallback: undefined, attemptTimeout: undefined })).toBe(text());
  });

  test('has a slot for each layer, always in the same order', () => {
    const all: StandardOptions = {
      attemptTimeout: '1s',
      bulkhead: { limit: 2, queue: 1 },
      rateLimit: { limit: 9, name: 'api' },
      breaker: { name: 'db' },
      retry: { attempts: 5 },
      timeout: 5_000,
      fallback: 'instead',
    };
    expect(text(all)).toBe(
      'fallback → timeout 5s → retry ×5 (100ms‥10s, full jitter, budget) → breaker db → rateLimit api 9/1s → bulkhead 2+1 → timeout 1s',
    );
  });

  test.each(['timeout', 'retry', 'breaker', 'attemptTimeout'] as const)('has no %s if it is false', (slot) => {
    const place = ['timeout', 'retry', 'breaker', 'attemptTimeout'].indexOf(slot);
    expect(text({ [slot]: false })).toBe(asIs.filter((_, i) => i !== place).join(' → '));
  });

  test('has no fallback, rate limit and bulkhead, unless they are given', () => {
    expect(text({ fallback: false, rateLimit: false, bulkhead: false })).toBe(text());
  });

  test('without any layer is a policy all the same', async () => {
    const none = standard({ timeout: false, retry: false, breaker: false, attemptTimeout: false });
    expect(String(none)).toBe('no layers');
    expect(await none.run(() => 1)).toBe(1);
  });

  test('goes into a policy', () => {
    const made = policy(
      standard({ retry: { idempotent: true } }),
      failWhen(() => false),
    );
    expect(String(made)).toMatch(/^timeout 30s → .* → timeout 10s → failWhen$/);
  });
});

describe('P13.2 a slot', () => {
  test('takes the options of its layer', async () => {
    const made = standard({ retry: { attempts: 1 }, breaker: { failures: 1, name: 'db' } });
    using events = recordEvents();
    await made.settle(down);
    expect(events.filter(({ event }) => event === 'breaker:transition')).toMatchObject([{ name: 'db', to: 'open' }]);
  });

  test('of a timeout takes its options, with the duration as `after`', async () => {
    const made = standard({ timeout: { after: 100, grace: 50 }, attemptTimeout: false });
    const error = await errorInTime(() => made.run((s) => s.sleep('1h')));
    expect(error).toMatchObject({ name: 'TimeoutError', timeoutMs: 100 });
    await virtualTime(async (time) => {
      const deaf = Promise.withResolvers<void>();
      let came: unknown;
      const call = made.settle(() => deaf.promise).then((outcome) => (came = outcome));
      await time.advance(149);
      expect(came).toBeUndefined();
      await time.advance(1);
      expect(came).toMatchObject({ ok: false, error: { abandoned: true } });
      deaf.resolve();
      await call;
    });
  });

  test('of the fallback takes a value or a function, `false` being none', async () => {
    const options = { retry: false, timeout: false } as const;
    expect(await standard({ ...options, fallback: 0 }).run(down)).toBe(0);
    expect(await standard({ ...options, fallback: null }).run(down)).toBe(null);
    expect(await standard({ ...options, fallback: (error) => String(error) }).run(down)).toBe('Error: down');
    expect(await standard({ ...options, fallback: () => false }).run(down)).toBe(false);
    await expect(standard({ ...options, fallback: false }).run(down)).rejects.toThrow('down');
  });

  test('that does not exist, or is given something else, is refused', () => {
    const bad =
      (options: unknown): (() => unknown) =>
      () =>
        (standard as (options: unknown) => unknown)(options);
    const option = (name: string): unknown => expect.objectContaining({ code: 'BAD_OPTION', option: name });
    expect(bad({ timeouts: 5 })).toThrow(
      'timeouts: expected an option of standard: fallback, timeout, retry, breaker, rateLimit, bulkhead, attemptTimeout; got 5',
    );
    expect(bad(null)).toThrow(option('standard'));
    expect(bad({ retry: 5 })).toThrow(option('retry'));
    expect(bad({ retry: true })).toThrow(option('retry'));
    expect(bad({ retry: { attempts: 0 } })).toThrow(option('attempts'));
    expect(bad({ breaker: null })).toThrow(option('breaker'));
    expect(bad({ bulkhead: {} })).toThrow(option('limit'));
    expect(bad({ rateLimit: { limit: 0 } })).toThrow(option('limit'));
    expect(bad({ timeout: -1 })).toThrow(option('timeout'));
    expect(bad({ attemptTimeout: NaN })).toThrow(option('attemptTimeout'));
    expect(bad({ attemptTimeout: { after: 'soon' } })).toThrow(option('attemptTimeout.after'));
    expect(bad({ attemptTimeout: { grace: 5 } })).toThrow(option('attemptTimeout'));
    expect(bad({ timeout: null })).toThrow(option('timeout'));
    expect(bad({ timeout: { after: 5, exactly: true } })).toThrow(option('exactly'));
  });
});

describe('P13.3 each call', () => {
  test('makes its own layers', async () => {
    const options = { retry: false, breaker: { failures: 1 } } as const;
    const [one, other] = [standard(options), standard(options)];
    await one.settle(down);
    expect((await one.settle(() => 1)).ok).toBe(false);
    expect((await other.settle(() => 1)).ok).toBe(true);
  });

  test('with a budget of its own', async () => {
    await virtualTime(async (time) => {
      const retry = { attempts: 2, budget: { initial: 1, cap: 1, trickle: 0 } };
      const policies = [standard({ retry }), standard({ retry })];
      for (const made of policies) {
        const outcomes = Promise.all([made.settle(down), made.settle(down)]);
        await time.runAll();
        expect((await outcomes).map(({ stoppedBy }) => stoppedBy)).toEqual(['attempts', 'budget']);
      }
    });
  });
});

test('P15.3 standard warns that timeouts are not retried, unless something is said of idempotence', () => {
  expect(String(standard())).toMatch(/ \[warning: timeouts are not retried unless idempotent\]$/);
  expect(String(standard({ retry: { idempotent: false } }))).not.toContain('warning');
  expect(String(policy(timeout('5s'), standard({ retry: { idempotent: true }, timeout: false })))).toMatch(
    / \[warning: timeout 10s inside timeout 5s\]$/,
  );
});
