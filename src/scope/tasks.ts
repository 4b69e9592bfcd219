/**
 * `race` and `map`: what is done with many children at once. Both are one child of the scope they are called on, and start the many below that one:
 * so the whole is cancelled, waited for and fails as a unit.
 */
import { addSuppressed, checkFunction, checkOption, checkOptions, rangeOf } from '../foundation/index.ts';
import type { Body, Scope, Task } from './contract.ts';
import { discarded } from './events.ts';
import { asyncDisposer, NONE } from './frame.ts';

/** How a child ended: `failure` is `NONE`, or what came out. */
interface Ended {
  readonly failure: unknown;
  readonly value: unknown;
}

/** What is needed of a scope beyond its contract. */
interface Parent extends Scope {
  readonly name: string | undefined;
  readonly aborted: boolean;
  /** Whether `error` is what aborted this scope, or its envelope. */
  isAbort(error: unknown): boolean;
  /** As `go`, but `onEnd` decides what the child's end means, before anybody else hears of it. */
  start<T>(body: Body<T>, onEnd: (child: Ended) => void): Task<T>;
}

export function raceTasks<T>(scope: Scope, bodies: Iterable<Body<T>>): Task<T> {
  const contenders = [...iterable('race', bodies)];
  checkOption(contenders.length > 0, 'race', bodies, 'at least one function');
  for (const body of contenders) checkFunction('race', body);
  const { name } = scope as Parent;
  return scope.go((s) => new Promise<T>((resolve, reject) => race(s as Parent, name, contenders, resolve, reject)));
}

function race<T>(
  s: Parent,
  /** Of the scope that it was called on, for events. */
  name: string | undefined,
  contenders: Body<T>[],
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): void {
  const errors: unknown[] = [];
  const lost = new DOMException('Another contender won the race', 'AbortError');
  const tasks: Task<T>[] = [];
  let running = contenders.length;
  let won = false;

  const tell = (error: unknown): void => {
    if (error !== lost && discarded.observed) discarded.emit({ name, error });
  };
  const win = (value: T): void => {
    won = true;
    // The prize is kept only if the race comes out well: a loser's cleanup may still fail it.
    s.defer((exit) => (exit.ok ? undefined : dispose(value)));
    resolve(value);
    errors.forEach(tell);
    for (const task of tasks) task.cancel(lost);
  };
  const lose = (): void => {
    // A race that is cancelled passes the reason on; what a contender had to say itself comes before that.
    const own = errors.filter((error) => !s.isAbort(error));
    const [first, ...others] = own.length > 0 ? own : [errors[0]];
    for (const error of others) if (!addSuppressed(first, error)) tell(error);
    reject(first);
  };
  const ended = (place: number, { failure, value }: Ended): void => {
    running--;
    if (failure === NONE) {
      if (!won) win(value as T);
      else s.defer(() => dispose(value));
    } else if (won) {
      tell(failure);
    } else {
      errors[place] = failure;
      if (running === 0) lose();
    }
  };
  for (const [place, body] of contenders.entries()) {
    const task = s.start(body, (child) => ended(place, child));
    tasks.push(task);
    if (won) break; // at once: it threw, and recovered
  }
}

export function mapTasks<I, T>(
  scope: Scope,
  items: Iterable<I>,
  options: { readonly concurrency: number },
  fn: (item: I, s: Scope) => T | PromiseLike<T>,
): Task<T[]> {
  iterable('map', items);
  checkOptions('map', ['concurrency'], options);
  const { concurrency } = options;
  checkOption(
    concurrency === Infinity || (Number.isInteger(concurrency) && concurrency >= 1),
    'concurrency',
    concurrency,
    'a whole number from 1, or Infinity',
    rangeOf(concurrency),
  );
  checkFunction('map', fn);
  return scope.go((s) => map(s as Parent, items[Symbol.iterator](), concurrency, fn));
}

async function map<I, T>(
  s: Parent,
  iterator: Iterator<I>,
  concurrency: number,
  fn: (item: I, s: Scope) => T | PromiseLike<T>,
): Promise<T[]> {
  const results: T[] = [];
  let started = 0;
  let finished = 0;
  let exhausted = false;
  s.defer(() => {
    if (!exhausted) iterator.return?.();
  });

  /** Draws items and runs them one after another. */
  const work = async (): Promise<void> => {
    while (!exhausted) {
      exhausted = true; // unless it says otherwise: an iterator that throws is not closed either, as in `for…of`
      const next = iterator.next();
      if (next.done) return;
      exhausted = false;
      const place = started++;
      try {
        results[place] = await s.go((child) => fn(next.value, child));
        finished++;
      } catch (error) {
        if (s.aborted) return; // the child has told its failure already, and it may not be the first
        throw error;
      }
    }
  };
  const workers: Promise<void>[] = [];
  while (workers.length < concurrency && !exhausted && !s.aborted) workers.push(work());
  await Promise.all(workers);
  if (!exhausted || finished < started) s.throwIfAborted();
  return results;
}

function iterable<I>(option: string, value: Iterable<I>): Iterable<I> {
  checkOption(
    typeof (value as Iterable<I> | null | undefined)?.[Symbol.iterator] === 'function',
    option,
    value,
    'an iterable',
  );
  return value;
}

/** Looked up only in a cleanup: what a contender returned may throw even when it is looked at. */
const dispose = (value: unknown): unknown => asyncDisposer(value)?.();
