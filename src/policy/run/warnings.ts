/**
 * Orders of layers that are almost surely mistakes (P15). They are told, and not refused: a policy that is unusual on purpose works.
 *
 * An event is told at a call and not when the policy is made: policies are mostly made while modules load, when nobody listens yet. What the
 * stage of such a policy costs more is a comparison; a policy without a mistake has no such stage.
 */
import { durationText } from '../../foundation/index.ts';
import type { Context } from '../../scope/context.ts';
import { policyWarning, type PolicyWarning } from './events.ts';
import type { CallOptions, Layer, Operation, RetryLayer, TimeoutLayer } from './layer.ts';
import type { Stage } from './stage.ts';

interface Warning {
  readonly warning: PolicyWarning;
  /** For `String(policy)`. */
  readonly short: string;
  /** What is wrong, and what to do. */
  readonly message: string;
}

/** What is almost surely wrong with these layers, outermost first. */
export function warningsOf(layers: readonly Layer[]): Warning[] {
  return [breakerOutside(layers), timeoutInside(layers), timeoutNotRetried(layers)].filter((it) => it !== undefined);
}

/** For `String(policy)`: nothing, or what is wrong in brackets. */
export function warningText(layers: readonly Layer[]): string {
  const shorts = warningsOf(layers).map(({ short }) => short);
  return shorts.length === 0 ? '' : ` [warning: ${shorts.join('; ')}]`;
}

/** The stage itself, or one that tells what is wrong, once each, as soon as somebody listens. */
export function warned(stage: Stage, layers: readonly Layer[]): Stage {
  const warnings = warningsOf(layers);
  return warnings.length === 0 ? stage : new WarnedStage(stage, layers, warnings);
}

class WarnedStage implements Stage {
  private readonly stage: Stage;
  private readonly layers: readonly Layer[];
  /** Those that were not told yet. */
  private warnings: readonly Warning[];

  constructor(stage: Stage, layers: readonly Layer[], warnings: readonly Warning[]) {
    this.stage = stage;
    this.layers = layers;
    this.warnings = warnings;
  }

  get timesCalls(): boolean {
    return this.stage.timesCalls;
  }

  get isFlat(): boolean {
    return this.stage.isFlat;
  }

  start(op: Operation, outer: Context | null, options: CallOptions | null): Promise<unknown> {
    if (this.warnings.length > 0 && policyWarning.observed) this.tell(options);
    return this.stage.start(op, outer, options);
  }

  private tell(options: CallOptions | null): void {
    const isDeclared = options?.idempotent !== undefined;
    const isMeant = ({ warning }: Warning): boolean => isDeclared && warning === 'timeout-not-retried';
    const told = this.warnings.filter((warning) => !isMeant(warning));
    this.warnings = this.warnings.filter(isMeant); // first: a listener may call this policy
    for (const { warning, message } of told) {
      const text = `holdfast: ${this.layers.map(String).join(' → ')}: ${message}`;
      policyWarning.emit({ name: options?.name, warning, message: text, error: undefined });
    }
  }
}

function isRetry(layer: Layer): layer is RetryLayer {
  return layer.kind === 'retry' && layer.attempts > 1;
}

function isTimeout(layer: Layer): layer is TimeoutLayer {
  return layer.kind === 'timeout';
}

function breakerOutside(layers: readonly Layer[]): Warning | undefined {
  const at = layers.findIndex((layer) => layer.kind === 'gate' && layer.type === 'breaker');
  if (at < 0 || !layers.slice(at).some(isRetry)) return undefined;
  return {
    warning: 'breaker-outside-retry',
    short: 'breaker outside retry',
    message:
      'the breaker stands outside the retry, where it counts calls and not attempts, and a refusal by it is not seen by the retry. Put it inside.',
  };
}

function timeoutInside(layers: readonly Layer[]): Warning | undefined {
  const timeouts = layers.filter(isTimeout);
  const inside = timeouts.find((inner, i) => timeouts.slice(0, i).some((outer) => msOf(outer) < msOf(inner)));
  if (inside === undefined) return undefined;
  const outside = timeouts.find((outer) => msOf(outer) < msOf(inside))!;
  const [inner, outer] = [durationText(msOf(inside)), durationText(msOf(outside))];
  return {
    warning: 'timeout-never-fires',
    short: `timeout ${inner} inside timeout ${outer}`,
    message: `the timeout of ${inner} stands inside that of ${outer}, so it never fires. Make it the shorter one.`,
  };
}

function msOf({ timers }: TimeoutLayer): number {
  return timers.durationMs;
}

function timeoutNotRetried(layers: readonly Layer[]): Warning | undefined {
  const at = layers.findIndex(isRetry);
  const retry = layers[at] as RetryLayer | undefined;
  if (retry === undefined || retry.decidesAmbiguous || !layers.slice(at).some(isTimeout)) return undefined;
  return {
    warning: 'timeout-not-retried',
    short: 'timeouts are not retried unless idempotent',
    message:
      'an attempt that timed out may have happened, so it is not retried before somebody says whether the operation may run twice: { idempotent: true } or { idempotent: false }, on retry or on run.',
  };
}
