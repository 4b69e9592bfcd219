/** What work comes to, as a value that can be looked at: errors that are thenable, primitive or `undefined` included. */
import { virtualTime, type VirtualTime } from '../src/testing/index.ts';

export type Settled = { readonly value: unknown } | { readonly error: unknown };

export async function settle(work: () => unknown): Promise<Settled> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/** The error that comes out. Fails if none does. */
export async function errorOf(work: PromiseLike<unknown> | (() => unknown)): Promise<any> {
  const settled = await settle(typeof work === 'function' ? work : () => work);
  if ('error' in settled) return settled.error;
  throw new Error(`expected an error; got ${String(settled.value)}`);
}

/** The same on virtual time, which runs until no timer is left. */
export function settleInTime(work: (time: VirtualTime) => unknown): Promise<Settled> {
  return virtualTime(async (time) => {
    const settled = settle(() => work(time));
    await time.runAll();
    return settled;
  });
}

export function errorInTime(work: (time: VirtualTime) => unknown): Promise<any> {
  return virtualTime(async (time) => {
    const error = errorOf(() => work(time));
    await time.runAll();
    return error;
  });
}
