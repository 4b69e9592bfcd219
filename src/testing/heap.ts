/** A binary min-heap. */
export class Heap<T> {
  private items: T[] = [];
  private readonly before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.before = before;
  }

  get size(): number {
    return this.items.length;
  }

  /** The smallest; `undefined` when empty. */
  get top(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    const { items, before } = this;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above] as T;
      if (!before(item, parent)) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  /** Removes the smallest; does nothing when empty. */
  pop(): void {
    const { items, before } = this;
    const last = items.pop() as T;
    const { length } = items;
    if (length === 0) return;
    let at = 0;
    for (let below = 1; below < length; below = 2 * at + 1) {
      if (below + 1 < length && before(items[below + 1] as T, items[below] as T)) below++;
      if (!before(items[below] as T, last)) break;
      items[at] = items[below] as T;
      at = below;
    }
    items[at] = last;
  }

  /** Holds these items instead. O(n log n); a sorted list is a heap. */
  replace(items: Iterable<T>): void {
    this.items = [...items].sort((a, b) => (this.before(a, b) ? -1 : 1));
  }
}
