/** What the comments beside an expression are turned into (`transform.ts`). */
import { inspect, isDeepStrictEqual } from 'node:util';

/** `expression; // value` */
export function gives<T>(value: T, expected: unknown, where: string): T {
  if (!isDeepStrictEqual(value, expected))
    throw new Error(`${where}: gives ${inspect(value)}; the comment says ${inspect(expected)}`);
  return value;
}

/** `expression; // throws NAME_OR_CODE` */
export function throws(run: () => unknown, expected: string, where: string): void {
  try {
    run();
  } catch (error) {
    return isCalled(error, expected, where);
  }
  throw new Error(`${where}: throws nothing; the comment says ${expected}`);
}

/** `await expression; // throws NAME_OR_CODE` */
export async function rejects(run: () => Promise<unknown>, expected: string, where: string): Promise<void> {
  try {
    await run();
  } catch (error) {
    return isCalled(error, expected, where);
  }
  throw new Error(`${where}: throws nothing; the comment says ${expected}`);
}

function isCalled(error: unknown, expected: string, where: string): void {
  const { name, code, message } = error as { name?: unknown; code?: unknown; message?: unknown };
  if (![name, code, message].includes(expected))
    throw new Error(`${where}: throws ${inspect(error)}; the comment says ${expected}`);
}
