/** A watch over abandoned bodies: every test of a file that calls `watchAbandonedBodies` fails if it leaves one. */
import { afterEach, beforeEach, expect } from 'vitest';
import { abandoned } from '../src/index.ts';

/** @returns how many the test at work has abandoned that have not settled */
export function watchAbandonedBodies(): () => number {
  let before = 0;
  const counted = (): number => abandoned() - before;
  beforeEach(() => {
    before = abandoned();
  });
  afterEach(() => {
    expect(counted(), 'abandoned bodies').toBe(0);
  });
  return counted;
}
