/** Spans of time as people write them. */
import { checkOption, rangeOf } from './option.ts';

/** Milliseconds as a number, or a number with its unit: `250`, `'250ms'`, `'1.5s'`, `'2m'`, `'12h'`, `'25d'`. `Infinity` means no limit. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Digits, perhaps a fraction, a unit: no sign, exponent, hexadecimal or space. Each character is looked at once. */
const SHAPE = /^(\d+(?:\.\d+)?)(ms|[smhd])$/;

/**
 * A duration in milliseconds.
 *
 * @param value a number of milliseconds from 0, `Infinity` included, or text such as `'1.5s'`. Text is a decimal number and one of the
 * units `ms`, `s`, `m`, `h`, `d` and nothing else, so that a value from the environment is never half understood.
 * @throws {TypeError | RangeError} code `BAD_OPTION` for everything else: `NaN`, negative numbers, `'5'`, `'2 s'`, `'-1s'`, `'0x10s'`, `'1e3ms'`.
 *
 * @example
 * duration('1.5s');                              // 1500
 * duration(process.env.ORDER_TIMEOUT ?? '2s');   // 2000, or an error that says what is wrong with the variable
 */
export function duration(value: Duration | (string & {})): number {
  return durationOption('duration', value);
}

/** As `duration`, for an option with a name of its own. */
export function durationOption(option: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  const [, digits, unit] = (typeof value === 'string' && SHAPE.exec(value)) || [];
  const ms = Number(digits) * UNIT_MS[unit as keyof typeof UNIT_MS];
  checkOption(
    ms < Infinity,
    option,
    value,
    "milliseconds from 0, or a text such as '250ms', '1.5s', '2m', '12h', '25d'",
    rangeOf(value),
  );
  return ms;
}

/** A duration for people, in the largest unit that shows it in full: `'800ms'`, `'1.5s'`, `'25d'`. */
export function durationText(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((unit) => ms > 0 && Number.isInteger(ms / UNIT_MS[unit]));
  if (unit !== undefined) return `${ms / UNIT_MS[unit]}${unit}`;
  return ms >= 1_000 ? `${ms / 1_000}s` : `${ms}ms`;
}
