/** The frame for code without promises. */
import { checkFunction, checkOption, optionsAndBody } from '../foundation/index.ts';
import type { NotPromise, SyncScope, SyncScopeOptions } from './contract.ts';
import { ENDED, Frame, refusePromise, UNWINDING } from './frame.ts';

class SyncFrame extends Frame implements SyncScope {
  override readonly name: string | undefined;

  constructor(name: string | undefined) {
    super();
    this.name = name;
  }
}

/**
 * As `scope`, for code without promises: `defer`, `use`, `adopt`, and the outcome before the cleanups' eyes. No children, no cancellation, no deadline.
 *
 * A body, cleanup or `recover` that returns a promise is a mistake, since nobody would wait for it: it counts as failed with a `TypeError`
 * (code `BAD_OPTION`), and what the promise comes to is ignored.
 *
 * @throws what the body threw, the same object, unless a cleanup changed it
 * @example
 * const rows = scopeSync((s) => {
 *   const db = s.adopt(new DatabaseSync(':memory:'), (db) => db.close());
 *   return db.prepare('SELECT 1 AS one').all().length;
 * }); // 1
 */
export function scopeSync<T>(body: (s: SyncScope) => T & NotPromise<T>): T;
export function scopeSync<T, R = never>(options: SyncScopeOptions<R>, body: (s: SyncScope) => T & NotPromise<T>): T | R;
export function scopeSync(
  first: SyncScopeOptions<unknown> | ((s: SyncScope) => unknown),
  second?: (s: SyncScope) => unknown,
): unknown {
  const [{ recover, name }, body] = optionsAndBody<SyncScopeOptions<unknown>, (s: SyncScope) => unknown>(
    'scopeSync',
    ['recover', 'name'],
    first,
    second,
  );
  if (recover !== undefined) checkFunction('recover', recover);
  checkOption(name === undefined || typeof name === 'string', 'name', name, 'a string');

  const frame = new SyncFrame(name);
  try {
    frame.value = settled('the body', body(frame));
  } catch (error) {
    frame.fail(error);
  }
  frame.phase = UNWINDING;
  unwind(frame);
  if (recover !== undefined && frame.recoverable) {
    try {
      const value = settled('recover', recover(frame.failure));
      frame.recover();
      frame.value = value;
    } catch (error) {
      if (!Object.is(error, frame.failure)) frame.fail(error);
    }
    unwind(frame);
  }
  frame.phase = ENDED;
  return frame.outcome();
}

function unwind(frame: Frame): void {
  for (let pending = frame.unwind(); pending !== undefined; pending = frame.unwind()) {
    try {
      settled('a cleanup', pending);
    } catch (error) {
      frame.cleanupThrew(error);
    }
  }
}

/** @throws if `value` is a promise: in code with promises it is `scope` that waits */
function settled(what: string, value: unknown): unknown {
  refusePromise(`scopeSync: ${what}`, value);
  return value;
}
