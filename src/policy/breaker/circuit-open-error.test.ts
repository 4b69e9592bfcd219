import { describe, expect, test } from 'vitest';
import { classify, HoldfastError, stoppedBy } from '../../index.ts';
import { CircuitOpenError } from './circuit-open-error.ts';

describe('a CircuitOpenError', () => {
  test('says which breaker, in which state, and when it is worth trying again', () => {
    const error = new CircuitOpenError('inventory', 'open', 1_499.2);
    expect(error).toMatchObject({
      name: 'CircuitOpenError',
      code: 'CIRCUIT_OPEN',
      breaker: 'inventory',
      state: 'open',
      retryAfterMs: 1_499.2,
      message: 'inventory is open: worth trying again in 1500 ms',
    });
  });

  test('of an isolated breaker has no time to wait for', () => {
    const error = new CircuitOpenError('inventory', 'isolated', Infinity);
    expect(error.message).toBe('inventory is isolated: worth trying again when it is reset');
    expect(error.retryAfterMs).toBe(Infinity);
  });

  test('is an error of the library, told by brand and code; another code is not it', () => {
    const error: unknown = new CircuitOpenError('inventory', 'open', 0);
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toBeInstanceOf(CircuitOpenError);
    const copy = { [Symbol.for('holdfast.error')]: true, code: 'CIRCUIT_OPEN' };
    expect(copy).toBeInstanceOf(CircuitOpenError);
    expect({ ...copy, code: 'BULKHEAD_FULL' }).not.toBeInstanceOf(CircuitOpenError);
    expect(new Error('inventory is open')).not.toBeInstanceOf(CircuitOpenError);
  });

  test('is lean: it has no stack of its own, and leaves the limit of others as it was', () => {
    const { stackTraceLimit } = Error;
    expect(new CircuitOpenError('inventory', 'open', 0).stack).not.toMatch(/\n\s+at /);
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  });

  test('is transient, says nothing of the server’s health, and asks to wait until it is worth trying again', () => {
    const error = new CircuitOpenError('inventory', 'open', 1_500);
    expect(classify(error)).toMatchObject({
      verdict: 'transient',
      health: 'none',
      code: 'CIRCUIT_OPEN',
      retryAfterMs: 1_500,
    });
    expect(stoppedBy(error)).toBe('refused');
  });
});
