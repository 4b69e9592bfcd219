/** The requests per second of both days as an SVG file, which stands alone and follows the reader's light or dark scheme. */
import { mostOf, tickOf, type Chart } from './chart.ts';

const WIDTH = 760;
const HEIGHT = 400;
const PLOT = { left: 64, right: 736, top: 84, bottom: 340 };

/** Plain classes, with the dark scheme as an exception: a program that does not know media queries shows the light one. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .soft { fill: #59636e; }
  .paper { fill: #ffffff; }
  .grid { stroke: #d1d9e0; }
  .axis { stroke: #59636e; }
  .outage { fill: #818b98; fill-opacity: 0.25; }
  .capacity { stroke: #59636e; stroke-dasharray: 2 4; stroke-width: 1.5; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
  .series-0 { stroke: #bc4c00; }
  .series-1 { stroke: #0969da; stroke-dasharray: 7 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .soft { fill: #9198a1; }
    .paper { fill: #0d1117; }
    .grid { stroke: #2f3742; }
    .axis, .capacity { stroke: #9198a1; }
    .series-0 { stroke: #f0883e; }
    .series-1 { stroke: #58a6ff; }
  }`;

export function svgChart(chart: Chart): string {
  const steps = Math.max(1, ...chart.series.map((one) => one.perSecond.length));
  const endMs = steps * chart.stepMs;
  const tick = tickOf(Math.max(mostOf(chart), chart.capacity), 6);
  const top = tick * 6;
  const x = (ms: number): number => round(PLOT.left + (Math.min(ms, endMs) / endMs) * (PLOT.right - PLOT.left));
  const y = (rate: number): number => round(PLOT.bottom - (rate / top) * (PLOT.bottom - PLOT.top));

  const { fromMs, toMs } = chart.outage;
  const outage =
    fromMs < Math.min(toMs, endMs)
      ? [
          `<rect class="outage" x="${x(fromMs)}" y="${PLOT.top}" width="${round(x(toMs) - x(fromMs))}" height="${PLOT.bottom - PLOT.top}"/>`,
          `<text class="soft" x="${round((x(fromMs) + x(toMs)) / 2)}" y="${PLOT.top - 6}" text-anchor="middle">outage</text>`,
        ]
      : [];
  const rates = Array.from({ length: 7 }, (_, index) => index * tick).flatMap((rate) => [
    `<line class="${rate === 0 ? 'axis' : 'grid'}" x1="${PLOT.left}" x2="${PLOT.right}" y1="${y(rate)}" y2="${y(rate)}"/>`,
    `<text class="soft" x="${PLOT.left - 8}" y="${y(rate) + 4}" text-anchor="end">${rate}</text>`,
  ]);
  const secondMs = tickOf(endMs, 12);
  const times = Array.from({ length: Math.floor(endMs / secondMs) + 1 }, (_, index) => index * secondMs).flatMap(
    (ms) => [
      `<line class="axis" x1="${x(ms)}" x2="${x(ms)}" y1="${PLOT.bottom}" y2="${PLOT.bottom + 5}"/>`,
      `<text class="soft" x="${x(ms)}" y="${PLOT.bottom + 20}" text-anchor="middle">${ms / 1_000}</text>`,
    ],
  );
  const capacity = [
    `<line class="capacity" x1="${PLOT.left}" x2="${PLOT.right}" y1="${y(chart.capacity)}" y2="${y(chart.capacity)}"/>`,
    `<text class="soft" x="${PLOT.right}" y="${y(chart.capacity) - 6}" text-anchor="end">it can do ${chart.capacity}</text>`,
  ];
  // Steps and no slopes: each value is a count in a stretch of time, and nothing is known of where in it.
  const lines = chart.series.map(({ perSecond }, index) => {
    const path = perSecond.map((rate, step) => `V${y(rate)}H${x((step + 1) * chart.stepMs)}`).join('');
    return `<path class="line series-${index}" d="M${PLOT.left} ${y(0)}${path}"/>`;
  });
  const legend = chart.series.flatMap(({ label }, index) => {
    const left = PLOT.left + index * 180;
    return [
      `<path class="line series-${index}" d="M${left} 52H${left + 32}"/>`,
      `<text x="${left + 40}" y="56">${label}</text>`,
    ];
  });

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    `<title>${chart.title}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="title" x="${PLOT.left}" y="30">${chart.title}</text>`,
    ...legend,
    ...outage,
    ...rates,
    ...times,
    ...capacity,
    ...lines,
    `<text class="soft" x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 44}" text-anchor="middle">seconds since the first request</text>`,
    `<text class="soft" transform="translate(18 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)" text-anchor="middle">requests per second</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
