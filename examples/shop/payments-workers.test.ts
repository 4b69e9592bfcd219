import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Workers, type Admission } from './payments-workers.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Sends so many, and counts what becomes of them. */
function send(workers: Workers, count: number, isGone = () => false): Record<Admission, number> {
  const told = { 'worked on': 0, 'no place': 0, 'sender gone': 0 };
  for (let n = 0; n < count; n++) void workers.work(isGone).then((admission) => told[admission]++);
  return told;
}

describe('the workers', () => {
  it('do 250 requests a second, first come, first served', async () => {
    const workers = new Workers();
    const first = send(workers, 250);
    const second = send(workers, 10);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(first['worked on']).toBe(250);
    expect(second['worked on']).toBe(0);
    await vi.advanceTimersByTimeAsync(40);
    expect(second['worked on']).toBe(10);
  });

  it('have places for 500 who wait, and turn the others away', async () => {
    const told = send(new Workers(), 520);
    await vi.advanceTimersByTimeAsync(0);
    expect(told['no place']).toBe(10);
  });

  it('do nothing while they are stalled, and go on with those who still wait', async () => {
    const workers = new Workers();
    workers.stall(true);
    let gone = false;
    const leaving = send(workers, 100, () => gone);
    const staying = send(workers, 10);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(staying['worked on']).toBe(0);

    gone = true;
    workers.stall(false);
    await vi.advanceTimersByTimeAsync(40);
    expect(leaving['sender gone']).toBe(100);
    expect(staying['worked on']).toBe(10);
  });

  it('are done with all who wait as soon as the day is closed, also in the outage', async () => {
    const workers = new Workers();
    workers.stall(true);
    const told = send(workers, 100);
    workers.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(told['worked on']).toBe(100);
  });
});
