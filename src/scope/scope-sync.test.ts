/** The scope for code without promises (R16). The rules of unwinding that it shares with `scope` are in `frame.test.ts`. */
import { describe, expect, test } from 'vitest';
import { recordEvents } from '../testing/index.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scopeSync, suppressedErrors, type SyncScope } from '../index.ts';

watchUnhandledRejections();

function thrown(work: () => unknown): any {
  try {
    work();
  } catch (error) {
    return error;
  }
  return expect.fail('nothing was thrown');
}

const rejected = (): any => Promise.reject(new Error('nobody waits for it'));

describe('scopeSync', () => {
  test('returns what the body returns, when its cleanups have run: all within the call', () => {
    const log: string[] = [];
    const result = scopeSync((s) => {
      s.defer(() => void log.push('cleanup'));
      log.push('body');
      return 'result';
    });
    log.push('after');
    expect(result).toBe('result');
    expect(log).toEqual(['body', 'cleanup', 'after']);
  });

  test('throws what the body throws, the same object', () => {
    const error = new Error('body');
    const work = (): never => {
      throw error;
    };
    expect(thrown(() => scopeSync(work))).toBe(error);
  });

  test('disposes of resources when they are left, in reverse', () => {
    const log: string[] = [];
    const resource = (name: string): Disposable => ({ [Symbol.dispose]: () => void log.push(name) });
    scopeSync((s) => {
      s.use(resource('a'));
      s.adopt('b', (name) => log.push(name));
      s.use(resource('c'));
    });
    expect(log).toEqual(['c', 'b', 'a']);
  });

  test('is never cancelled', () => {
    scopeSync((s) => s.defer(({ cancelled }) => expect(cancelled).toBe(false)));
  });

  test('has no children, no signal and no sleep', () => {
    scopeSync((s) => {
      for (const member of ['go', 'map', 'race', 'signal', 'cancel', 'sleep', 'timeLeft', 'deadline', 'get'])
        expect(member in s).toBe(false);
    });
  });
});

describe('R16 a promise, which nobody would wait for, is a TypeError with code BAD_OPTION, and handled', () => {
  const refused = (what: string) => ({
    code: 'BAD_OPTION',
    option: `scopeSync: ${what}`,
    expected: 'no promise: nobody would wait for it',
  });

  test('returned by the body: the scope fails with it, after its cleanups', () => {
    let seen: unknown;
    const promise = rejected();
    const error = thrown(() =>
      scopeSync((s) => {
        s.defer((exit) => void (seen = exit.error));
        return promise;
      }),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject(refused('the body'));
    expect(error.given).toBe(promise);
    expect(seen).toBe(error);
  });

  test('returned by a cleanup: it counts as failed, and stops none of the others', () => {
    using events = recordEvents();
    const log: string[] = [];
    const error = thrown(() =>
      scopeSync({ name: 'orders' }, (s) => {
        s.defer(() => void log.push('last'));
        s.defer(rejected);
      }),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject(refused('a cleanup'));
    expect(log).toEqual(['last']);
    expect(events).toMatchObject([{ event: 'scope:cleanup-failed', name: 'orders', error, late: false }]);
  });

  test('returned by a cleanup beside a failure: it is kept beside it', () => {
    const body = new Error('body');
    const error = thrown(() =>
      scopeSync((s: SyncScope) => {
        s.defer(rejected);
        s.defer(async () => {});
        throw body;
      }),
    );
    expect(error).toBe(body);
    expect(suppressedErrors(body)).toMatchObject([refused('a cleanup'), refused('a cleanup')]);
  });

  test('returned by the option recover: it replaces the failure', () => {
    const body = new Error('body');
    const error = thrown(() =>
      scopeSync<any, any>({ recover: rejected }, () => {
        throw body;
      }),
    );
    expect(error).toMatchObject(refused('recover'));
    expect(suppressedErrors(error)).toEqual([body]);
  });

  test('of any kind that has a then, and recoverable as any failure', () => {
    const thenable = Object.assign(() => {}, { then: () => {} }); // oxlint-disable-line unicorn/no-thenable
    const recovered = scopeSync<any, any>({ recover: (error) => error }, () => thenable);
    expect(recovered).toMatchObject(refused('the body'));
    const result = scopeSync((s): any => {
      s.defer((exit) => void exit.recover('recovered'));
      return thenable;
    });
    expect(result).toBe('recovered');
  });

  test('but not an object that has no then, or one that is no function', () => {
    const named = { then: true }; // oxlint-disable-line unicorn/no-thenable
    for (const value of [null, undefined, 0, 'text', {}, () => {}, named]) {
      expect(scopeSync((): any => value)).toBe(value);
    }
  });
});
