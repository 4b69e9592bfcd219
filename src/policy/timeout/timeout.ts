/** The layer `timeout`. What it does is in the run (`run/call`): it has no state. */
import {
  checkOption,
  checkOptions,
  durationOption,
  durationText,
  FixedTimers,
  type Duration,
} from '../../foundation/index.ts';
import type { TimeoutLayer } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';

/** Options of `timeout`. */
export interface TimeoutOptions {
  /**
   * How long the work may take to settle and unwind after it was aborted [25 ms]. Then its caller is let go, and it goes on, *abandoned*. `Infinity`
   * always waits, 0 never does.
   */
  readonly grace?: Duration | undefined;
  /** Fire with the platform's own precision [false]: else it may be late by 1/32 of its duration, at most 10 ms. Dearer. */
  readonly exact?: boolean | undefined;
  /** The cleanups of the scopes above do not wait for abandoned work [false]: they may then close what it still uses. */
  readonly detach?: boolean | undefined;
}

/**
 * Bounds the time of what is inside it.
 *
 * @param duration from 0; `Infinity` is no limit
 * @throws {TypeError | RangeError} code `BAD_OPTION`, when the layer is made
 * @example
 * await timeout('800ms').run(() => 'in time'); // 'in time'
 */
export function timeout(duration: Duration, options: TimeoutOptions = {}): Policy {
  const timeoutMs = durationOption('timeout', duration);
  checkOptions('timeout', ['grace', 'exact', 'detach'], options);
  const { grace = 25, exact = false, detach = false } = options;
  checkOption(typeof exact === 'boolean', 'exact', exact, 'true or false');
  checkOption(typeof detach === 'boolean', 'detach', detach, 'true or false');
  const graceMs = durationOption('grace', grace);
  const layer: TimeoutLayer = {
    kind: 'timeout',
    timers: new FixedTimers(timeoutMs, exact),
    graceMs,
    detach,
    toString: () => `timeout ${durationText(timeoutMs)}`,
  };
  return new Policy(timeoutMs === Infinity ? [] : [layer]);
}
