import { describe, expect, test, vi } from 'vitest';
import { HoldfastError, TimeoutError, duration } from '../../foundation/index.ts';
import { scope, ScopeEndedError } from '../../scope/index.ts';
import { classify } from '../index.ts';

/** An error of ours, as a folder makes it that stands above this one. */
class Ours extends HoldfastError {
  readonly code: string;
  readonly retryAfterMs?: unknown;
  constructor(code: string, retryAfterMs?: unknown) {
    super('x');
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

test('a timeout is ambiguous, and counts against the server', () => {
  expect(classify(new TimeoutError('load', 5))).toEqual({
    verdict: 'ambiguous',
    reason: 'timeout',
    health: 'down',
    code: 'TIMEOUT',
  });
});

test('a deadline that passed is one', async () => {
  const error = await scope({ timeout: 1 }, (s) => s.sleep('1h')).catch((error: unknown) => error);
  expect(classify(error)).toMatchObject({ verdict: 'ambiguous', code: 'TIMEOUT' });
});

test('a commit of which nothing is known is ambiguous, and counts against the server', () => {
  expect(classify(new Ours('COMMIT_UNKNOWN'))).toEqual({
    verdict: 'ambiguous',
    reason: 'commit unknown',
    health: 'down',
    code: 'COMMIT_UNKNOWN',
  });
});

describe('a refusal of a layer is transient, and tells nothing of the server', () => {
  test.each([
    ['CIRCUIT_OPEN', 'circuit open'],
    ['BULKHEAD_FULL', 'bulkhead full'],
    ['RATE_LIMITED', 'rate limited'],
  ])('%s', (code, reason) => {
    expect(classify(new Ours(code))).toEqual({ verdict: 'transient', reason, health: 'none', code });
    expect(classify(new Ours(code, 250)).retryAfterMs).toBe(250);
    expect(classify(new Ours(code, 0)).retryAfterMs).toBe(0);
  });

  test.each([-1, NaN, '250', null, {}, 5n])('a retryAfterMs that is no time, %o, is left out', (retryAfterMs) => {
    expect(classify(new Ours('RATE_LIMITED', retryAfterMs))).not.toHaveProperty('retryAfterMs');
  });
});

test('the use of a scope that has ended is a bug', () => {
  expect(classify(new ScopeEndedError('load'))).toEqual({
    verdict: 'permanent',
    reason: 'scope ended',
    health: 'none',
    code: 'SCOPE_ENDED',
  });
});

test('a bad option is a bug, whichever of its two classes it has', () => {
  const refusal = (value: unknown): unknown => {
    try {
      return duration(value as number);
    } catch (error) {
      return error;
    }
  };
  const bug = { verdict: 'permanent', health: 'none', code: 'BAD_OPTION' };
  expect(classify(refusal('5'))).toEqual({ ...bug, reason: 'a bug: TypeError' });
  expect(classify(refusal(-1))).toEqual({ ...bug, reason: 'a bug: RangeError' });
});

test('errors of another copy of the package are told too', async () => {
  vi.resetModules();
  const other = await import('../../foundation/error.ts');
  expect(other.TimeoutError).not.toBe(TimeoutError);
  expect(classify(new other.TimeoutError('load', 5)).verdict).toBe('ambiguous');
});

test('the code alone, without the brand, is not ours', () => {
  expect(classify(Object.assign(new Error('x'), { code: 'CIRCUIT_OPEN' })).verdict).toBe('unknown');
});

test('another code of ours tells nothing by itself: what is wrapped is asked', () => {
  expect(classify(new Ours('TX_ESCAPED'))).toMatchObject({ verdict: 'unknown', code: 'TX_ESCAPED' });
  const wrapping = Object.assign(new Ours('TX_ESCAPED'), { cause: new TimeoutError('load', 5) });
  expect(classify(wrapping).verdict).toBe('ambiguous');
});
