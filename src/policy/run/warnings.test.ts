/** P15: orders of layers that are almost surely mistakes are told. */
import { describe, expect, test, vi } from 'vitest';
import {
  breaker,
  bulkhead,
  constant,
  failWhen,
  fallback,
  onEvent,
  policy,
  retry,
  timeout,
  type Policy,
  type PolicyWarningEvent,
  type RunOptions,
} from '../../index.ts';

const again = { attempts: 3, backoff: constant(0), budget: false } as const;
const sure = { ...again, idempotent: true } as const;

/** What is told of these calls. */
async function warningsOf(made: Policy<unknown>, ...calls: RunOptions[]): Promise<PolicyWarningEvent[]> {
  const heard: PolicyWarningEvent[] = [];
  using _ = onEvent('policy:warning', (event) => heard.push(event));
  for (const options of calls.length === 0 ? [{}] : calls) await made.run(() => 1, options);
  return heard;
}

const kinds = (events: readonly PolicyWarningEvent[]): string[] => events.map(({ warning }) => warning);

describe('P15.1 of a breaker outside a retry', () => {
  test('is told, and in `String(policy)`', async () => {
    const made = policy(breaker({ name: 'db' }), timeout('1s'), retry(sure));
    expect(await warningsOf(made, { name: 'query' })).toEqual([
      {
        event: 'policy:warning',
        name: 'query',
        at: expect.any(Number) as number,
        warning: 'breaker-outside-retry',
        message: expect.stringMatching(
          /^holdfast: breaker db → timeout 1s → retry ×3 \(.*\): the breaker .* Put it inside\.$/,
        ) as string,
        error: undefined,
      },
    ]);
    expect(String(made)).toBe('breaker db → timeout 1s → retry ×3 (0ms) [warning: breaker outside retry]');
  });

  test('not of one inside, nor of another gate outside, nor of a retry that makes one attempt', async () => {
    for (const made of [
      policy(retry(sure), breaker()),
      policy(bulkhead({ limit: 1 }), retry(sure), breaker()),
      policy(breaker(), retry({ ...sure, attempts: 1 })),
      policy(breaker(), timeout('1s')),
      policy(timeout('1s'), retry(sure)),
    ]) {
      expect(await warningsOf(made)).toEqual([]);
      expect(String(made)).not.toContain('warning');
    }
  });
});

describe('P15.2 of a timeout inside a shorter one', () => {
  test('is told, with both durations', async () => {
    const made = policy(timeout('3s'), retry(sure), breaker(), timeout('10s'));
    const [event, ...others] = await warningsOf(made);
    expect(others).toEqual([]);
    expect(event?.warning).toBe('timeout-never-fires');
    expect(event?.message).toContain('the timeout of 10s stands inside that of 3s, so it never fires');
    expect(String(made)).toMatch(/ → timeout 10s \[warning: timeout 10s inside timeout 3s\]$/);
  });

  test('names one that is shorter, not one that is equal', () => {
    expect(String(policy(timeout(9), timeout(5), timeout(9)))).toContain('timeout 9ms inside timeout 5ms');
  });

  test('wherever the two stand, without a retry too', async () => {
    expect(kinds(await warningsOf(policy(timeout(5), fallback(0), timeout(6))))).toEqual(['timeout-never-fires']);
    expect(kinds(await warningsOf(policy(timeout(9), timeout(5), timeout(8))))).toEqual(['timeout-never-fires']);
    expect(String(policy(timeout(9), timeout(5), timeout(8)))).toContain('timeout 8ms inside timeout 5ms');
  });

  test('not of an equal or a shorter one', async () => {
    expect(await warningsOf(policy(timeout('3s'), retry(sure), timeout('3s')))).toEqual([]);
    expect(await warningsOf(policy(timeout('3s'), retry(sure), timeout('1s')))).toEqual([]);
    expect(await warningsOf(policy(timeout(Infinity), retry(sure), timeout('1s')))).toEqual([]);
  });
});

describe('P15.3 of a retry outside a timeout without a word on idempotence', () => {
  const made = (): Policy => policy(timeout('3s'), retry(again), breaker(), timeout('1s'));

  test('is told', async () => {
    const [event, ...others] = await warningsOf(made());
    expect(others).toEqual([]);
    expect(event?.warning).toBe('timeout-not-retried');
    expect(event?.message).toContain('{ idempotent: true } or { idempotent: false }, on retry or on run');
    expect(String(made())).toMatch(/ \[warning: timeouts are not retried unless idempotent\]$/);
  });

  test('not of a call that says it, whichever it says; of the next one that does not it is', async () => {
    const one = made();
    expect(await warningsOf(one, { idempotent: true }, { idempotent: false })).toEqual([]);
    expect(kinds(await warningsOf(one, { idempotent: false }, {}))).toEqual(['timeout-not-retried']);
  });

  test('not if the retry says it, or decides by `retryIf`, or makes one attempt, or has no timeout inside', async () => {
    for (const one of [
      policy(retry(sure), timeout('1s')),
      policy(retry({ ...again, idempotent: false }), timeout('1s')),
      policy(retry({ ...again, retryIf: () => undefined }), timeout('1s')),
      policy(retry({ ...again, attempts: 1 }), timeout('1s')),
      policy(
        timeout('1s'),
        retry(again),
        failWhen(() => false),
      ),
    ]) {
      expect(await warningsOf(one)).toEqual([]);
      expect(String(one)).not.toContain('warning');
    }
  });
});

describe('P15.4 a warning', () => {
  const wrong = (): Policy => policy(breaker(), timeout('1s'), retry(again), timeout('2s'));
  const all = ['breaker-outside-retry', 'timeout-never-fires', 'timeout-not-retried'];

  test('is told of two layers as of more', async () => {
    expect(kinds(await warningsOf(policy(breaker(), retry(sure))))).toEqual(['breaker-outside-retry']);
    expect(kinds(await warningsOf(policy(timeout(5), timeout(6))))).toEqual(['timeout-never-fires']);
    expect(kinds(await warningsOf(policy(retry(again), timeout(5))))).toEqual(['timeout-not-retried']);
  });

  test('about something else is told of a call that says whether it is idempotent', async () => {
    expect(kinds(await warningsOf(wrong(), { idempotent: true }))).toEqual([
      'breaker-outside-retry',
      'timeout-never-fires',
    ]);
  });

  test('is told once for each policy, and one for each thing', async () => {
    const made = wrong();
    expect(kinds(await warningsOf(made, {}, {}))).toEqual(all);
    expect(await warningsOf(made)).toEqual([]);
    expect(kinds(await warningsOf(policy(made)))).toEqual(all);
    expect(String(made)).toMatch(
      / \[warning: breaker outside retry; timeout 2s inside timeout 1s; timeouts are not retried unless idempotent\]$/,
    );
  });

  test('comes at the first call that somebody listens to: when the policy was made, and called, nobody may have', async () => {
    const made = wrong();
    await made.run(() => 1);
    expect(kinds(await warningsOf(made))).toEqual(all);
  });

  test('comes in every kind of call', async () => {
    const heard: string[] = [];
    using _ = onEvent('policy:warning', ({ warning }) => heard.push(warning));
    await wrong().settle(() => 1);
    await wrong().bind(() => 1)();
    await wrong().wrap(() => 1)();
    expect(heard).toEqual([...all, ...all, ...all]);
  });

  test('is told once to a listener that calls the policy', async () => {
    const made = wrong();
    const heard: string[] = [];
    const calls: Promise<unknown>[] = [];
    using _ = onEvent('policy:warning', ({ warning }) => {
      heard.push(warning);
      calls.push(made.run(() => 1));
    });
    await made.run(() => 1);
    await Promise.all(calls);
    expect(heard).toEqual(all);
  });

  test('is not for the console, and refuses nothing', async () => {
    const warn = vi.spyOn(console, 'warn');
    expect(await wrong().run(() => 'done')).toBe('done');
    await warningsOf(wrong());
    expect(warn).not.toHaveBeenCalled();
  });
});
