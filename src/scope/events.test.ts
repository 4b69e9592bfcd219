/** The events of scopes (2.2, R7, R11, R13 of docs/reference/semantics.md). When each is told is in the tests of what it tells of. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { recordEvents, virtualTime } from '../testing/index.ts';
import { errorOf } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { onEvent, scope, scopeSync, type Scope } from '../index.ts';
import { cleanupFailed, cleanupOverran, discarded } from './events.ts';

watchUnhandledRejections();

const fails = (error: unknown) => (): never => {
  throw error;
};

/** Scopes that come by every event once. */
async function everyEvent(): Promise<void> {
  await virtualTime(async (time) => {
    const overruns = errorOf(scope({ cleanupTimeout: 10, name: 'a' }, (s) => s.defer(() => new Promise(() => {}))));
    await time.runAll();
    await overruns;
    await scope({ name: 'b' }, (s) => s.race([fails('lost'), () => 'won']));
    await errorOf(() => scopeSync({ name: 'c' }, (s) => s.defer(fails('cleanup'))));
    const replaced = (s: Scope): never => {
      s.defer((exit) => exit.fail('a primitive'));
      throw 'body';
    };
    await errorOf(scope({ name: 'd' }, replaced));
  });
}

describe('events', () => {
  afterEach(() => void vi.restoreAllMocks());

  test('are told when they happen, with their fields and the name of the scope', async () => {
    using events = recordEvents();
    await everyEvent();
    const code = 'TIMEOUT';
    expect(events).toEqual([
      { event: 'scope:cleanup-overran', name: 'a', at: 10, timeoutMs: 10 },
      { event: 'scope:cleanup-failed', name: 'a', at: 10, error: expect.objectContaining({ code }), late: false },
      { event: 'scope:discarded', name: 'b', at: 10, error: 'lost' },
      { event: 'scope:cleanup-failed', name: 'c', at: 10, error: 'cleanup', late: false },
      { event: 'scope:discarded', name: 'd', at: 10, error: 'body' },
    ]);
  });

  test('are not even built while nobody listens', async () => {
    const emits = [cleanupFailed, cleanupOverran, discarded].map((type) => vi.spyOn(type, 'emit'));
    await everyEvent();
    expect(emits.map((emit) => emit.mock.calls)).toEqual([[], [], []]);
    using _ = onEvent('scope:discarded', () => {});
    await everyEvent();
    expect(emits.map((emit) => emit.mock.calls.length)).toEqual([0, 0, 2]);
  });

  test('are heard before the scope goes on', async () => {
    const log: string[] = [];
    using _ = onEvent('scope:cleanup-failed', (e) => log.push(`event ${String(e.error)}`));
    await errorOf(
      scope((s) => {
        s.defer(() => log.push('next'));
        s.defer(fails('cleanup'));
      }),
    );
    expect(log).toEqual(['event cleanup', 'next']);
  });
});
