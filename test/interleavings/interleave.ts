/** The loop: programs of a seed, until one breaks a rule. Used by the command (`main.ts`) and the tests. */
import process from 'node:process';
import { nextTurn, systemClock, useClock } from '../../src/foundation/index.ts';
import { Random } from '../fuzz/random.ts';
import { StepClock } from './clock.ts';
import { make as realMake, somePlan, type Make } from './plan.ts';
import { World } from './world.ts';

export interface InterleaveOptions {
  readonly seed: string;
  /** The first program. */
  readonly from?: number;
  readonly count: number;
  /** Makes another policy than the plan says: to see that it is noticed. */
  readonly make?: Make;
  /** Told of each step. */
  readonly tell?: ((text: string) => void) | undefined;
  readonly onProgress?: (index: number) => void;
}

export interface Finding {
  readonly index: number;
  readonly rule: string;
}

/** @returns the first program that breaks a rule */
export async function interleave({
  seed,
  from = 0,
  count,
  make = realMake,
  tell,
  onProgress,
}: InterleaveOptions): Promise<Finding | undefined> {
  const unhandled: unknown[] = [];
  using _ = watchRejections((reason) => unhandled.push(reason));
  for (let index = from; index < from + count; index++) {
    const rule = await play(seed, index, make, tell);
    await nextTurn(); // the platform tells of rejections when the reactions are done
    const left = unhandled.length === 0 ? undefined : `nobody handles ${String(unhandled[0])}`;
    if (rule !== undefined || left !== undefined) return { index, rule: rule ?? left! };
    onProgress?.(index);
  }
  return undefined;
}

async function play(
  seed: string,
  index: number,
  make: Make,
  tell: InterleaveOptions['tell'],
): Promise<string | undefined> {
  const random = Random.of(seed, index);
  const clock = new StepClock(index);
  const plan = somePlan(random);
  tell?.(JSON.stringify(plan, (_, value: unknown) => (value === Infinity ? 'Infinity' : value)));
  useClock(clock);
  try {
    return await new World(plan, random, clock, make, tell).play();
  } catch (error) {
    return `a timer, a caller or an abort is thrown at: ${(error as Error).stack}`;
  } finally {
    useClock(systemClock);
  }
}

/** Is told of rejections that nobody handles; other listeners, such as a test runner's, are not, as long as it lasts. */
function watchRejections(listener: (reason: unknown) => void): Disposable {
  const event = 'unhandledRejection';
  const others = process.listeners(event);
  process.removeAllListeners(event);
  process.on(event, listener);
  return {
    [Symbol.dispose]: () => {
      process.off(event, listener);
      for (const other of others) process.on(event, other);
    },
  };
}

export function replay(seed: string, { index }: Finding): string {
  return `node test/interleavings/main.ts --seed ${seed} --only ${index}`;
}
