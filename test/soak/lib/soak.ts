/** What the soak programs share: `--scale X` for a smaller run, a collected heap, and one closing line with the figures. */
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { scale: { type: 'string', default: '1' } } });
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 1))
  throw new RangeError(`--scale: expected a number above 0, up to 1; got ${values.scale}`);

/** A count at this scale, in whole thousands. */
export function scaled(full: number): number {
  return Math.max(10_000, Math.round((full * scale) / 1_000) * 1_000);
}

/** Collects all garbage. @returns bytes of the heap that are in use */
export async function collect(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc');
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed;
}

/** Prints the figures as the last line: `name=value name=value`. */
export function finish(figures: Record<string, number>): void {
  console.log(
    Object.entries(figures)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  );
}

/** The slope of the straight line that comes nearest to the points (least squares). */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: 0 | 1): number => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
