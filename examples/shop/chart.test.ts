import { describe, expect, it } from 'vitest';
import { svgChart } from './chart-svg.ts';
import { perSecond, textChart, tickOf, type Chart } from './chart.ts';

/** A day of 12 s with an outage from 3 s to 5 s: a storm, and none. */
const chart: Chart = {
  title: 'Requests per second at the payment server',
  series: [
    { label: 'without a policy', perSecond: [100, 120, 110, 150, 240, 480, 430, 250, 400, 390, 310, 2] },
    { label: 'with a policy', perSecond: [100, 120, 110, 30, 4, 160, 130, 110, 120, 118, 90] },
  ],
  stepMs: 1_000,
  outage: { fromMs: 3_000, toMs: 5_000 },
  capacity: 250,
};

describe('a rate', () => {
  it('counts what falls into each step, in times a second', () => {
    expect(perSecond([0, 100, 499, 500, 1_200], 500, 2_000)).toEqual([6, 2, 2, 0]);
    expect(perSecond([], 500, 0)).toEqual([]);
  });

  it.for([
    [487, 5, 100],
    [500, 5, 100],
    [501, 5, 150],
    [0, 5, 0.2],
    [23_000, 8, 3_000],
  ] as const)('of at most %i has %i ticks of %f', ([most, ticks, tick]) => {
    expect(tickOf(most, ticks)).toBeCloseTo(tick, 9);
    expect(tick * ticks).toBeGreaterThanOrEqual(most);
  });
});

describe('the chart for a terminal', () => {
  it('draws every day on the same scale, with the outage marked', () => {
    expect(`\n${textChart(chart)}\n`).toBe(`
Requests per second at the payment server, which can do 250
without a policy
   500 ┤   ░░▆▂
   400 ┤   ░░██ █▇▁
   300 ┤   ░▃██▄███
   200 ┤ ▂▁▄███████
   100 ┤███████████▁
     0 ┼────────────
with a policy
   500 ┤   ░░
   400 ┤   ░░
   300 ┤   ░░
   200 ┤ ▂▁░░▅▂▁▂▁
   100 ┤███▂▁█████▇
     0 ┼────────────
        0 s       10
        ░ outage, from 3 s to 5 s
`);
  });

  it('fits in 80 columns, however long the day is', () => {
    const long = Array.from({ length: 1_000 }, (_, step) => step);
    const lines = textChart({ ...chart, series: [{ label: 'long', perSecond: long }] }).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.find((line) => line.includes('1000 ┤'))).toMatch(/ {20}.*█$/);
  });

  it('marks no outage where there was none', () => {
    expect(textChart({ ...chart, outage: { fromMs: 3_000, toMs: 3_000 } })).not.toContain('░');
  });
});

describe('the chart as SVG', () => {
  const svg = svgChart(chart);

  it('is well-formed', () => {
    expect(openTags(svg)).toEqual([]);
    expect(openTags(svg.replace('</title>', ''))).not.toEqual([]);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('has both lines, a legend, axes with their units, the outage, and a dark scheme', () => {
    expect(svg.match(/<path class="line series-0" d="M64 340V/g)).toHaveLength(1);
    expect(svg.match(/<path class="line series-1" d="M64 340V/g)).toHaveLength(1);
    for (const text of ['without a policy', 'with a policy', 'outage', 'requests per second', 'it can do 250']) {
      expect(svg).toContain(`>${text}<`);
    }
    expect(svg).toContain('>seconds since the first request<');
    expect(svg).toContain('prefers-color-scheme: dark');
  });

  it('puts time and rate where the axes say', () => {
    // The second step of the first line: 120 of 600 a second, which is a fifth of the height, from 1 s to 2 s.
    expect(svg).toContain('d="M64 340V297.3H120V288.8H176V');
    expect(svg).toContain('<rect class="outage" x="232" y="84" width="112"');
  });

  it('is drawn also of a day without any request', () => {
    const empty = svgChart({ ...chart, series: [{ label: 'none', perSecond: [] }] });
    expect(openTags(empty)).toEqual([]);
    expect(empty).not.toMatch(/NaN|undefined|Infinity/);
  });
});

/** The tags that nobody has closed, or that close nothing. */
function openTags(xml: string): string[] {
  const open: string[] = [];
  for (const [, closing, name, rest] of xml.matchAll(/<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<&]*")*\s*\/?)>/gi)) {
    if (rest!.endsWith('/')) continue;
    if (closing === '') open.push(name!);
    else if (open.at(-1) === name) open.pop();
    else return [`</${name}>`];
  }
  // What is left when tags are taken away must be text.
  const text = xml.replaceAll(/<\/?[a-z]+(?:\s+[\w:-]+="[^"<&]*")*\s*\/?>/gi, '');
  return /[<&]/.test(text) ? ['text'] : open;
}
