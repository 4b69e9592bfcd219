/**
 * Compiles layers into stages. A flat stage is a run of layers in the usual order,
 *
 *   timeout → retry → gates (breaker, bulkhead, …: one of each, in any order) → timeout
 *
 * which one state machine does (`call`). Middleware, and a multiplier, is a stage of its own; and where a layer comes that does not fit, a new stage begins, whose
 * call is the operation of the stage around it, in the scope of that one's attempt. `policy(timeout, retry, breaker, bulkhead, timeout)` is one
 * stage, `policy(breaker, retry)` two. The rules are the same either way: an inner stage is only dearer.
 */
import { checkOption } from '../../foundation/index.ts';
import type { Context } from '../../scope/context.ts';
import { NONE } from '../../scope/frame.ts';
import { drive, outerContext, scopeOf, type RunningScope } from '../../scope/scope.ts';
import type { Attempt } from './attempt.ts';
import { Call } from './call.ts';
import { isDeadline, report, reported } from './history.ts';
import { Inside } from './inside.ts';
import {
  NO_OPTIONS,
  type CallOptions,
  type Gate,
  type Judge,
  type Layer,
  type Middleware,
  type Multiplier,
  type Operation,
  type RetryLayer,
  type TimeoutLayer,
} from './layer.ts';

export interface Stage {
  /** It needs to know when the call, and its attempts, began. */
  readonly timesCalls: boolean;
  /** Nothing of it runs but its calls. */
  readonly isFlat: boolean;
  /** One call. Must not throw. */
  start(op: Operation, outer: Context | null, options: CallOptions | null): Promise<unknown>;
}

/** A run of layers that one state machine does. */
export class FlatStage implements Stage {
  readonly isFlat = true;
  timeout: TimeoutLayer | null = null;
  retry: RetryLayer | null = null;
  gates: Gate[] = [];
  attemptTimeout: TimeoutLayer | null = null;
  judge: Judge | null = null;
  inner: Stage | null = null;
  /** What `attemptsOf` tells of a call is what this stage saw. */
  reports = false;

  /** The caller may be let go before an attempt has settled. */
  detaches = false;
  timesCalls = false;
  /** It judges no results, and its operation is no call of a stage inside. */
  isPlain = false;
  /** A gate asks how long an attempt had that was ended from outside. */
  blames = false;
  /** A gate calls a function of its user when it is told what an attempt came to. */
  hasHook = false;

  /** Takes the layer in, if it comes in the usual order. */
  takes(layer: TimeoutLayer | RetryLayer | Gate): boolean {
    switch (layer.kind) {
      case 'timeout':
        if (this.isEmpty) this.timeout = layer;
        else if (this.attemptTimeout === null) this.attemptTimeout = layer;
        else return false;
        return true;
      case 'retry':
        if (this.retry !== null || this.gates.length > 0 || this.attemptTimeout !== null) return false;
        this.retry = layer;
        return true;
      case 'gate':
        if (this.attemptTimeout !== null || this.gates.some(({ type }) => type === layer.type)) return false;
        this.gates.push(layer);
        return true;
    }
  }

  /** What follows from the layers: asked in every call. */
  complete(judge: Judge | null, inner: Stage | null, insideTimeout: boolean): void {
    this.judge = inner === null ? judge : null;
    this.inner = inner;
    this.isPlain = judge === null && inner === null;
    this.detaches = this.hasTimeout || insideTimeout;
    this.blames = this.gates.some((gate) => gate.blames);
    this.timesCalls =
      this.retry?.timesCalls === true || this.gates.some((gate) => gate.timesCalls) || inner?.timesCalls === true;
    this.hasHook = this.gates.some((gate) => gate.hasHook);
  }

  get hasTimeout(): boolean {
    return this.timeout !== null || this.attemptTimeout !== null;
  }

  private get isEmpty(): boolean {
    return this.timeout === null && this.retry === null && this.gates.length === 0;
  }

  start(op: Operation, outer: Context | null, options: CallOptions | null): Promise<unknown> {
    const { inner } = this;
    const body: Operation =
      inner === null
        ? op
        : (s) => {
            const attempt = s as Attempt;
            attempt.inside = new Inside();
            return inner.start(op, attempt.context, optionsInside(attempt, options));
          };
    return new Call(this, body, outer, options).start();
  }
}

function optionsInside(attempt: Attempt, options: CallOptions | null): CallOptions {
  return { ...NO_OPTIONS, ...options, outer: attempt, around: undefined };
}

/** A layer that runs around the others, in a scope of its own. */
class MiddlewareStage implements Stage {
  readonly isFlat = false;
  private readonly layer: Middleware;
  private readonly inner: Stage;

  constructor(layer: Middleware, inner: Stage) {
    this.layer = layer;
    this.inner = inner;
  }

  get timesCalls(): boolean {
    return this.inner.timesCalls;
  }

  start(op: Operation, outer: Context | null, options: CallOptions | null): Promise<unknown> {
    const { layer, inner } = this;
    const reason = outer?.inForce?.reason ?? NONE;
    // Nothing will run, and no call inside will tell why.
    if (reason !== NONE && reported(reason) === undefined)
      report(reason, null, isDeadline(reason) ? 'deadline' : 'cancelled');
    const inside = new Inside(options?.around);
    const told = { ...NO_OPTIONS, ...options, around: inside };
    return drive(scopeOf({ name: layer.name }, outer), (s) =>
      layer.run(() => inner.start(op, (s as RunningScope).context, told), s, inside, told.name),
    );
  }
}

/** Compiles layers, outermost first. */
export function compile(layers: readonly Layer[]): Stage {
  const last = layers.at(-1);
  const judge = last?.kind === 'judge' ? last : null;
  const rest = judge === null ? layers : layers.slice(0, -1);
  const groups: (FlatStage | Middleware | Multiplier)[] = [];
  for (const [place, layer] of rest.entries()) {
    checkOption(
      layer.kind !== 'gate' || rest.indexOf(layer) === place,
      'policy',
      layer,
      'each breaker, bulkhead and rateLimit once: inside itself it would wait for itself, or count twice',
    );
    checkOption(
      layer.kind !== 'judge',
      'policy',
      layer,
      'failWhen as the innermost layer: it judges what the operation returns',
    );
    if (layer.kind === 'middleware' || layer.kind === 'multiplier') {
      groups.push(layer);
      continue;
    }
    const current = groups.at(-1);
    if (current instanceof FlatStage && current.takes(layer)) continue;
    const stage = new FlatStage();
    stage.takes(layer);
    groups.push(stage);
  }
  // The operation's scope is an attempt's.
  if (!(groups.at(-1) instanceof FlatStage)) groups.push(new FlatStage());
  const flat = groups.filter((group) => group instanceof FlatStage);
  (flat.find(({ retry }) => retry !== null) ?? flat.at(-1)!).reports = true;

  const timed = flat.findIndex((group) => group.hasTimeout);
  let stage: Stage | null = null;
  for (const group of groups.reverse()) {
    if (group instanceof FlatStage) {
      group.complete(judge, stage, timed >= 0 && flat.indexOf(group) > timed);
      stage = group;
    } else {
      stage = group.kind === 'multiplier' ? group.around(stage!) : new MiddlewareStage(group, stage!);
    }
  }
  return stage!;
}

export { outerContext };
