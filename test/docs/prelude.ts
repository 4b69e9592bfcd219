/**
 * What the examples of the documentation use without saying where it comes from. An example that uses one of these names, or a name
 * that the package exports, need not import it; everything else it must make itself.
 */
export { open, readFile, rm, writeFile, mkdtemp } from 'node:fs/promises';
export { createServer } from 'node:http';
export { DatabaseSync } from 'node:sqlite';
export { setTimeout as delay } from 'node:timers/promises';

export function parse(text: string | Buffer): string[] {
  return String(text).trim().split('\n');
}

/** Takes a moment, and an abort ends it. */
export async function divide(a: number, b: number, signal?: AbortSignal): Promise<number> {
  signal?.throwIfAborted();
  await Promise.resolve();
  if (b === 0) throw new RangeError('division by zero');
  return a / b;
}

export const log = {
  info: (..._words: unknown[]): void => {},
  warn: (..._words: unknown[]): void => {},
};
