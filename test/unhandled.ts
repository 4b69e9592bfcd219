/** A watch over rejections that nobody handles: every test of a file that calls `watchUnhandledRejections` fails if it leaves one. */
import process from 'node:process';
import { afterEach, beforeEach, expect } from 'vitest';
import { nextTurn } from '../src/foundation/index.ts';

export function watchUnhandledRejections(): void {
  let unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  beforeEach(() => {
    unhandled = [];
    process.on('unhandledRejection', note);
  });
  afterEach(async () => {
    await nextTurn(); // the platform tells of them when the microtasks are done
    process.off('unhandledRejection', note);
    expect(unhandled, 'unhandled rejections').toEqual([]);
  });
}
