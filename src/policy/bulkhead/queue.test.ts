/** Who waits for a permit, and in which order: P7.1 to P7.4 of docs/reference/policies.md. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../../test/seed.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import { nextTurn } from '../../foundation/index.ts';
import { virtualTime } from '../../testing/index.ts';
import type { Attempt } from '../run/attempt.ts';
import { Queue, Waiter } from './queue.ts';

watchUnhandledRejections();

type Gatekeeper = ConstructorParameters<typeof Waiter>[1];

/** A queue, and what waiters tell their gate and their call. */
class Desk {
  readonly queue = new Queue();
  readonly log: string[] = [];
  private readonly names = new Map<Waiter, string>();
  private count = 0;

  private readonly gate = {
    left: (waiter: Waiter) => {
      this.queue.remove(waiter);
      this.log.push(`${this.names.get(waiter)} left`);
    },
    overdue: (waiter: Waiter) => {
      this.gate.left(waiter);
      return new Error('overdue');
    },
    release: () => void this.log.push('permit given back'),
  } as unknown as Gatekeeper;

  /** Somebody who waits with this priority. */
  join(priority = 0, name = `#${this.count++}`): Waiter {
    const call = {
      admitted: () => void this.log.push(`${name} admitted`),
      refused: (_attempt: unknown, _gate: unknown, error: Error) => void this.log.push(`${name}: ${error.message}`),
    };
    const waiter = new Waiter({ call } as unknown as Attempt, this.gate, priority);
    this.names.set(waiter, name);
    this.queue.add(waiter);
    return waiter;
  }

  /** The names of those that are taken out one after another. */
  drain(count: number): unknown[] {
    return Array.from({ length: count }, () => this.names.get(this.queue.shift()));
  }
}

describe('P7.1 a queue', () => {
  test('serves first come first served', () => {
    const desk = new Desk();
    for (let i = 0; i < 4; i++) desk.join();
    expect(desk.drain(4)).toEqual(['#0', '#1', '#2', '#3']);
  });

  test('serves a higher priority first, and among equals first come first served', () => {
    const desk = new Desk();
    for (const priority of [1, 5, 1, 5, -3, 0.5]) desk.join(priority);
    expect(desk.drain(6)).toEqual(['#1', '#3', '#0', '#2', '#5', '#4']);
  });

  test('takes every number for a priority: infinite ones too, and 0 and -0 are equal', () => {
    const desk = new Desk();
    for (const priority of [-Infinity, -0, 0, Infinity, Number.MIN_VALUE]) desk.join(priority);
    expect(desk.drain(5)).toEqual(['#3', '#4', '#1', '#2', '#0']);
  });

  test('is not walked through by who comes or leaves, though each has a priority of their own', () => {
    const desk = new Desk();
    let looks = 0;
    const counted = (priority: number): number => ({ valueOf: () => (looks++, priority) }) as unknown as number;
    const waiters = Array.from({ length: 1_024 }, (_, i) => desk.join(counted((i * 37) % 1_024)));
    for (const waiter of waiters) desk.queue.remove(waiter);
    expect(looks).toBeLessThan(2 * 1_024 * 2 * 12); // two looks a comparison
    expect(desk.queue.place(-Infinity)).toBe(1);
  });

  test('says which place somebody would get who comes now', () => {
    const desk = new Desk();
    expect(desk.queue.place(0)).toBe(1);
    for (const priority of [1, 5, 1, 5]) desk.join(priority);
    expect([9, 5, 3, 1, 0].map((priority) => desk.queue.place(priority))).toEqual([1, 3, 3, 5, 5]);
    desk.queue.shift();
    expect(desk.queue.place(5)).toBe(2);
  });

  test('lets somebody leave from any place, the last one of a priority too', () => {
    const desk = new Desk();
    const [first, middle, last, alone] = [desk.join(), desk.join(), desk.join(), desk.join(7)];
    for (const waiter of [middle, alone]) desk.queue.remove(waiter);
    expect(desk.queue.place(7)).toBe(1);
    expect(desk.queue.place(0)).toBe(3);
    desk.queue.remove(last);
    desk.join(0, 'new');
    expect(desk.drain(2)).toEqual(['#0', 'new']);
    expect(first.list).toBe(null);
  });

  test('whoever comes and goes: is in the order of a stable sort', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('join' as const), priority: fc.constantFrom(-1, 0, 0, 1, 2.5) }),
      fc.record({ kind: fc.constant('leave' as const), at: fc.nat() }),
      fc.record({ kind: fc.constant('shift' as const) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const desk = new Desk();
        let model: Waiter[] = [];
        for (const act of actions) {
          if (act.kind === 'join') {
            const place = model.filter((waiter) => waiter.priority >= act.priority).length + 1;
            expect(desk.queue.place(act.priority)).toBe(place);
            model.push(desk.join(act.priority));
            model = model.toSorted((a, b) => b.priority - a.priority);
            expect(model.indexOf(model.at(place - 1) as Waiter)).toBe(place - 1);
          } else if (model.length === 0) continue;
          else if (act.kind === 'shift') expect(desk.queue.shift()).toBe(model.shift());
          else desk.queue.remove(model.splice(act.at % model.length, 1)[0] as Waiter);
        }
        for (const waiter of model) expect(desk.queue.shift()).toBe(waiter);
      }),
      { seed, numRuns: 300 },
    );
  });

  test('of a hundred thousand is left by all of them, in any order, at once', () => {
    const desk = new Desk();
    const waiters = Array.from({ length: 100_000 }, () => desk.join());
    const startedMs = performance.now();
    for (const waiter of [...waiters.splice(40_000, 30_000), ...waiters.toReversed()]) desk.queue.remove(waiter);
    // In linear time each, it would take a minute.
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(desk.queue.place(0)).toBe(1);
  });
});

describe('a waiter', () => {
  test('that is granted a permit is let in, in a turn of its own', async () => {
    const desk = new Desk();
    desk.join();
    desk.queue.shift().grant();
    expect(desk.log).toEqual([]);
    await nextTurn();
    expect(desk.log).toEqual(['#0 admitted']);
  });

  test('P7.4 that is aborted leaves at once', async () => {
    const desk = new Desk();
    const waiter = desk.join();
    waiter.cancel(new Error('cancelled'));
    expect(desk.log).toEqual(['#0 left', '#0: cancelled']);
    expect(desk.queue.place(0)).toBe(1);
    await nextTurn();
    expect(desk.log).toHaveLength(2);
  });

  test('P7.3 that was granted a permit, and is aborted in the same turn, gives it on, and is not let in', async () => {
    const desk = new Desk();
    const waiter = desk.join();
    desk.queue.shift().grant();
    waiter.cancel(new Error('cancelled'));
    expect(desk.log).toEqual(['permit given back', '#0: cancelled']);
    await nextTurn();
    expect(desk.log).toHaveLength(2);
  });

  test('P7.4 that has waited for `maxWait` is refused', async () => {
    const desk = new Desk();
    await virtualTime(async (time) => {
      desk.join().expireAfter(50);
      await time.advance(49);
      expect(desk.log).toEqual([]);
      await time.advance(1);
      expect(desk.log).toEqual(['#0 left', '#0: overdue']);
    });
  });

  test('P7.4 that was refused, and is aborted in the same turn, hears of the abort alone, and gives no permit back', async () => {
    const desk = new Desk();
    const waiter = desk.join();
    waiter.overdue();
    waiter.cancel(new Error('cancelled'));
    expect(desk.log).toEqual(['#0 left', '#0: cancelled']);
    await nextTurn();
    expect(desk.log).toHaveLength(2);
  });

  test.each([
    ['granted', (desk: Desk) => desk.queue.shift().grant()],
    ['aborted', (_desk: Desk, waiter: Waiter) => waiter.cancel(new Error('cancelled'))],
  ])('that is %s has no timer any more', async (_, end) => {
    await virtualTime(async (time) => {
      const desk = new Desk();
      const waiter = desk.join();
      waiter.expireAfter(50);
      expect(time.pending).toBe(1);
      end(desk, waiter);
      expect(time.pending).toBe(0);
      await nextTurn();
    });
  });
});
