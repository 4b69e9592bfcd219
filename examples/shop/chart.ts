/**
 * The requests per second of both days, for a terminal. The same for a browser is in chart-svg.ts.
 *
 * Why by hand, and not with a library, is in docs/decisions/0024-charts.md.
 */
import type { Outage } from './payment-process.ts';

export interface Chart {
  readonly title: string;
  readonly series: readonly Series[];
  /** What one value of a series stands for. */
  readonly stepMs: number;
  readonly outage: Outage;
  /** How many a second there can be at most, if they are to be answered. */
  readonly capacity: number;
}

export interface Series {
  readonly label: string;
  readonly perSecond: readonly number[];
}

/** Turns moments into a rate: so many a second, in each step up to `untilMs`. */
export function perSecond(atMs: readonly number[], stepMs: number, untilMs: number): number[] {
  const steps = Array.from({ length: Math.ceil(untilMs / stepMs) }, () => 0);
  for (const ms of atMs) {
    const step = Math.floor(ms / stepMs);
    if (steps[step] !== undefined) steps[step] += 1_000 / stepMs;
  }
  return steps;
}

/** Between ticks that people like to read, so that so many of them reach `most`. */
export function tickOf(most: number, ticks: number): number {
  const least = Math.max(most, 1) / ticks;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 1.5, 2, 3, 4, 5, 10].map((factor) => factor * power).find((tick) => tick >= least * 0.999) ?? 10 * power;
}

export function mostOf({ series }: Chart): number {
  return Math.max(0, ...series.flatMap((one) => one.perSecond));
}

const ROWS = 5;
const COLUMNS = 70;
const BARS = ' ▁▂▃▄▅▆▇█';

/** One panel for each series, on one scale. Every line has at most 80 columns; nothing depends on colour. */
export function textChart(chart: Chart): string {
  // A day that is too long for the terminal is drawn with several steps in a column.
  const steps = Math.max(1, ...chart.series.map((one) => one.perSecond.length));
  const group = Math.ceil(steps / COLUMNS);
  const columnMs = group * chart.stepMs;
  const isOut = (column: number): boolean =>
    (column + 0.5) * columnMs >= chart.outage.fromMs && (column + 0.5) * columnMs < chart.outage.toMs;
  const panels = chart.series.map(({ label, perSecond }) => ({ label, values: grouped(perSecond, group) }));
  const tick = tickOf(Math.max(0, ...panels.flatMap(({ values }) => values)), ROWS);

  const lines = panels.flatMap(({ label, values }) => [
    label,
    ...Array.from({ length: ROWS }, (_, index) => {
      const row = ROWS - 1 - index;
      const cells = values.map((value, column) => cell(value, row * tick, tick) ?? (isOut(column) ? '░' : ' '));
      return `${String((row + 1) * tick).padStart(6)} ┤${cells.join('')}`.trimEnd();
    }),
    `${'0'.padStart(6)} ┼${'─'.repeat(Math.ceil(steps / group))}`,
  ]);
  const { fromMs, toMs } = chart.outage;
  const legend = toMs > fromMs ? [`${' '.repeat(8)}░ outage, from ${fromMs / 1_000} s to ${toMs / 1_000} s`] : [];
  return [
    `${chart.title}, which can do ${chart.capacity}`,
    ...lines,
    timeAxis(Math.ceil(steps / group), columnMs),
    ...legend,
  ].join('\n');
}

function grouped(values: readonly number[], group: number): number[] {
  return Array.from({ length: Math.ceil(values.length / group) }, (_, index) => {
    const part = values.slice(index * group, (index + 1) * group);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/** `undefined` where there is nothing of the bar. What is not zero has a mark, however small it is. */
function cell(value: number, from: number, tick: number): string | undefined {
  const eighths = Math.min(8, Math.round(((value - from) / tick) * 8));
  if (eighths > 0) return BARS[eighths];
  return from === 0 && value > 0 ? BARS[1] : undefined;
}

function timeAxis(columns: number, columnMs: number): string {
  const tickMs = tickOf(columns * columnMs, Math.max(1, columns / 6)); // room for a label
  let line = ' '.repeat(8);
  for (let ms = 0; ms < columns * columnMs; ms += tickMs) {
    line = line.padEnd(8 + Math.round(ms / columnMs)) + (ms === 0 ? '0 s' : String(ms / 1_000));
  }
  return line;
}
