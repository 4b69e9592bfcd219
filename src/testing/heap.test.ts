import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Heap } from './heap.ts';

const numbers = (): Heap<number> => new Heap((a, b) => a < b);

/** Everything, smallest first. */
function drain<T>(heap: Heap<T>): T[] {
  const items: T[] = [];
  while (heap.size > 0) {
    items.push(heap.top as T);
    heap.pop();
  }
  return items;
}

describe('a heap', () => {
  test('is empty at first: nothing on top, nothing to pop', () => {
    const heap = numbers();
    heap.pop();
    expect(heap.size).toBe(0);
    expect(heap.top).toBeUndefined();
  });

  test('has the smallest on top, whatever the order they came in', () => {
    const heap = numbers();
    const tops = [5, 3, 8, 1, 9, 1].map((n) => {
      heap.push(n);
      return heap.top;
    });
    expect(tops).toEqual([5, 3, 3, 1, 1, 1]);
    expect(drain(heap)).toEqual([1, 1, 3, 5, 8, 9]);
  });

  test('can be given other items to hold instead', () => {
    const heap = numbers();
    for (const n of [1, 2, 3]) heap.push(n);
    heap.replace(new Set([9, 4, 7]));
    heap.push(5);
    expect(heap.size).toBe(4);
    expect(drain(heap)).toEqual([4, 5, 7, 9]);
  });

  test('can be emptied', () => {
    const heap = numbers();
    heap.push(1);
    heap.replace([]);
    expect(heap.size).toBe(0);
    expect(heap.top).toBeUndefined();
  });

  test('behaves as a sorted array does, whatever is pushed, popped and replaced', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ push: fc.nat(20) }) },
      { weight: 3, arbitrary: fc.constant('pop' as const) },
      { weight: 1, arbitrary: fc.record({ replace: fc.array(fc.nat(20)) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const heap = numbers();
        let model: number[] = [];
        for (const it of steps) {
          if (it === 'pop') {
            heap.pop();
            model.shift();
          } else if ('push' in it) {
            heap.push(it.push);
            model.push(it.push);
          } else {
            heap.replace(it.replace);
            model = [...it.replace];
          }
          model.sort((a, b) => a - b);
          expect(heap.size).toBe(model.length);
          expect(heap.top).toBe(model[0]);
        }
        expect(drain(heap)).toEqual(model);
      }),
    );
  });
});
