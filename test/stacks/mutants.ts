/**
 * Mutants: small changes to the source of policies, each of which breaks a rule. The comparison must notice every one, or it proves nothing.
 *
 * They are made while the module is loaded (`mutate`), in a process of its own: no file changes. `rule` is the number of the rule in
 * docs/reference/policies.md, `find` stands once in the file.
 */
import { registerHooks } from 'node:module';

export interface Mutant {
  readonly name: string;
  readonly rule: string;
  /** Below src/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const decide = 'policy/retry/decide.ts';
const backoff = 'policy/retry/backoff.ts';
const budget = 'budget/cell.ts';
const cell = 'policy/breaker/cell.ts';
const room = 'policy/bulkhead/cell.ts';
const queue = 'policy/bulkhead/queue.ts';
const bulkhead = 'policy/bulkhead/bulkhead.ts';
const call = 'policy/run/call.ts';
const effect = 'policy/run/effect.ts';
const attempt = 'policy/run/attempt.ts';
const history = 'policy/run/history.ts';
const stage = 'policy/run/stage.ts';
const fallback = 'policy/fallback/fallback.ts';

export const mutants: readonly Mutant[] = [
  {
    name: 'one-attempt-too-many',
    rule: 'P3.2',
    file: decide,
    find: 'failed.number >= attempts',
    replace: 'failed.number > attempts',
  },
  {
    name: 'abandoned-is-repeated',
    rule: 'P3.3',
    file: decide,
    find: 'failed.abandoned && this.idempotent(call) !== true',
    replace: 'false',
  },
  {
    name: 'commit-unknown-is-retried',
    rule: 'P3.4',
    file: decide,
    find: "code === 'COMMIT_UNKNOWN'",
    replace: "code === 'COMMIT'",
  },
  {
    name: 'retry-if-false-is-nothing',
    rule: 'P3.4',
    file: decide,
    find: "return said ? undefined : 'verdict';",
    replace: 'if (said) return undefined;',
  },
  {
    name: 'refusals-are-retried',
    rule: 'P3.4',
    file: decide,
    find: "return named ? undefined : 'refused';",
    replace: 'return undefined;',
  },
  {
    name: 'retry-on-is-a-hint',
    rule: 'P3.4',
    file: decide,
    find: 'retryOn !== undefined && !named',
    replace: 'false',
  },
  {
    name: 'permanent-is-retried',
    rule: 'P3.4',
    file: decide,
    find: "verdict === 'permanent'",
    replace: "verdict === 'never'",
  },
  {
    name: 'ambiguous-is-retried',
    rule: 'P3.4',
    file: decide,
    find: "verdict === 'ambiguous' && !failed.refused",
    replace: 'false',
  },
  {
    name: 'retry-after-is-no-floor',
    rule: 'P3.5',
    file: decide,
    find: 'const delayMs = floorMs + backoffMs;',
    replace: 'const delayMs = Math.max(floorMs, backoffMs);',
  },
  {
    name: 'max-retry-after-ignored',
    rule: 'P3.5',
    file: decide,
    find: 'floorMs > maxRetryAfterMs',
    replace: 'floorMs > 2 * maxRetryAfterMs',
  },
  {
    name: 'max-elapsed-without-the-delay',
    rule: 'P3.6',
    file: decide,
    find: 'clock.now() + delayMs > call.startedMs + maxElapsedMs',
    replace: 'clock.now() > call.startedMs + maxElapsedMs',
  },
  {
    name: 'min-attempt-time-ignored',
    rule: 'P3.7',
    file: decide,
    find: 'clock.now() + delayMs + minAttemptMs > deadlineMs',
    replace: 'clock.now() + delayMs > deadlineMs',
  },
  {
    name: 'budget-withdrawn-before-the-deadline',
    rule: 'P3.8',
    file: decide,
    find: 'const delayMs = floorMs + backoffMs;',
    replace:
      "const delayMs = floorMs + backoffMs; if (budget !== null && !budget.withdraw()) return 'budget'; budget?.giveBack();",
  },
  {
    name: 'layer-before-run',
    rule: 'P3.10',
    file: decide,
    find: 'options?.idempotent ?? this.settings.idempotent',
    replace: 'this.settings.idempotent ?? options?.idempotent',
  },
  {
    name: 'false-warns-too',
    rule: 'P3.10',
    file: decide,
    find: 'this.idempotent(call) === undefined',
    replace: 'this.idempotent(call) !== true',
  },
  {
    name: 'token-of-a-refused-retry-lost',
    rule: 'P3.11',
    file: call,
    find: 'if (attempt.attempt > 1) this.stage.retry?.giveBack();',
    replace: '',
  },
  {
    name: 'token-of-an-aborted-wait-lost',
    rule: 'P3.9',
    file: call,
    find: `    this.stage.retry!.giveBack();
    this.giveUp(this.reason, null, this.abortedBy);`,
    replace: '    this.giveUp(this.reason, null, this.abortedBy);',
  },
  {
    name: 'cap-before-jitter-alone',
    rule: 'P3.5',
    file: backoff,
    find: 'Math.min(capMs, Math.min(capMs, curve(attempt)) * (least + width * random))',
    replace: 'Math.min(capMs, curve(attempt)) * (least + width * random)',
  },
  {
    name: 'exponential-a-step-ahead',
    rule: 'P3.5',
    file: backoff,
    find: 'factor ** (attempt - 1)',
    replace: 'factor ** attempt',
  },
  {
    name: 'every-success-deposits',
    rule: 'P4',
    file: call,
    find: 'if (this.history === null && retry !== null) retry.succeededAtOnce();',
    replace: 'if (retry !== null) retry.succeededAtOnce();',
  },
  {
    name: 'no-trickle',
    rule: 'P4',
    file: budget,
    find: 'this.tricklePerMs = settings.trickle / 1000;',
    replace: 'this.tricklePerMs = 0;',
  },
  {
    name: 'half-a-token-is-enough',
    rule: 'P4',
    file: budget,
    find: '< 1 - TOLERANCE',
    replace: '< 0.5',
  },
  {
    name: 'caller-gets-the-timeout',
    rule: 'P2.3',
    file: call,
    find: 'if (this.isOwnTimeout(this.reason)) this.reason = reason;',
    replace: '',
  },
  {
    name: 'timed-out-is-the-last-word',
    rule: 'P2.3',
    file: call,
    find: 'this.giveUp(ended ? this.reason : record.error, record, this.abortedBy)',
    replace: 'this.giveUp(record.error, record, this.abortedBy)',
  },
  {
    name: 'own-error-becomes-the-reason',
    rule: 'P2.3',
    file: call,
    find: 'this.giveUp(ended ? this.reason : record.error, record, this.abortedBy)',
    replace: 'this.giveUp(this.reason, record, this.abortedBy)',
  },
  {
    name: 'deadline-is-cancelled',
    rule: 'P3.1',
    file: call,
    find: "isDeadline(this.reason) ? 'deadline' : 'cancelled'",
    replace: "'cancelled'",
  },
  {
    name: 'abandoned-bodies-hold-nobody',
    rule: 'P5.5',
    file: call,
    find: 'abandonBody(this.name, reason, detach ? null : this.above)',
    replace: 'abandonBody(this.name, reason, null)',
  },
  {
    name: 'detach-ignored',
    rule: 'P5.5',
    file: call,
    find: 'abandonBody(this.name, reason, detach ? null : this.above)',
    replace: 'abandonBody(this.name, reason, this.above)',
  },
  {
    name: 'late-results-kept',
    rule: 'P5.4',
    file: call,
    find: 'if (ok) dispose(this.name, value);',
    replace: '',
  },
  {
    name: 'replaced-results-kept',
    rule: 'P1.6',
    file: call,
    find: 'if (record.judged) dispose(this.name, record.error);',
    replace: '',
  },
  {
    name: 'attempts-count-from-one-inside',
    rule: 'P1.3',
    file: attempt,
    find: 'stage.retry === null ? options?.outer?.counted : undefined',
    replace: 'undefined',
  },
  {
    name: 'previous-error-is-the-first',
    rule: 'P1.3',
    file: attempt,
    find: 'record !== null && record.number >= number',
    replace: 'record?.before != null',
  },
  {
    name: 'delays-told-one-off',
    rule: 'P2.2',
    file: history,
    find: 'this.before?.delayAfterMs ?? 0',
    replace: 'this.delayAfterMs',
  },
  {
    name: 'neither-resets',
    rule: 'P6.6',
    file: cell,
    find: "if (effect === 'neither') return false;\n    const failed",
    replace:
      "if (effect === 'neither') this.failuresInRow = 0;\n    if (effect === 'neither') return false;\n    const failed",
  },
  {
    name: 'late-results-count',
    rule: 'P6.5',
    file: cell,
    find: 'ticket === this.period && this.count(effect, now, durationMs)',
    replace: 'this.count(effect, now, durationMs)',
  },
  {
    name: 'one-success-closes',
    rule: 'P6.3',
    file: cell,
    find: 'if (this.successes < this.settings.probes) return false;',
    replace: '',
  },
  {
    name: 'leases-never-end',
    rule: 'P6.3',
    file: cell,
    find: 'leases.findIndex((lease) => !within(nowMs - lease.sinceMs, settings.probeLeaseMs))',
    replace: '-1',
  },
  {
    name: 'cooldowns-forget-nothing',
    rule: 'P6.2',
    file: cell,
    find: "    if (state !== 'closed') return;\n    this.period = ++this.serial;\n    this.opens = 0;",
    replace: "    if (state !== 'closed') return;\n    this.period = ++this.serial;",
  },
  {
    name: 'ratio-is-more-than',
    rule: 'P6.1',
    file: cell,
    find: 'window.failed / window.calls >= ratio',
    replace: 'window.failed / window.calls > ratio',
  },
  {
    name: 'slow-calls-fail',
    rule: 'P6.1',
    file: cell,
    find: 'this.window?.add(now, failed,',
    replace: 'this.window?.add(now, failed || (slow !== null && durationMs > slow.overMs),',
  },
  {
    name: 'blamed-at-once',
    rule: 'P6.6',
    file: effect,
    find: 'failed.durationMs >= blameAfterMs',
    replace: 'failed.durationMs >= 0',
  },
  {
    name: 'own-failure-taken-for-an-abort',
    rule: 'P6.6',
    file: effect,
    find: '(failed.error === call.reason || call.isOwnTimeout(failed.error))',
    replace: 'call.reason !== NONE',
  },
  {
    name: 'one-more-permit',
    rule: 'P7.1',
    file: room,
    find: 'if (this.inFlight < this.limit) {',
    replace: 'if (this.inFlight <= this.limit) {',
  },
  {
    name: 'queue-of-one-less',
    rule: 'P7.1',
    file: room,
    find: 'if (this.waiting >= this.queue)',
    replace: 'if (this.waiting + 1 >= this.queue)',
  },
  {
    name: 'permits-come-back-when-the-caller-goes',
    rule: 'P7.2',
    file: call,
    find: '    this.awaited = null;\n    // The calls inside let theirs go first',
    replace:
      '    this.awaited = null;\n    for (const gate of this.stage.gates) gate.release();\n    // The calls inside let theirs go first',
  },
  {
    name: 'lowest-priority-first',
    rule: 'P7.1',
    file: queue,
    find: 'this.levels[middle]!.priority > priority',
    replace: 'this.levels[middle]!.priority < priority',
  },
  {
    name: 'no-max-wait',
    rule: 'P7.4',
    file: bulkhead,
    find: 'if (maxWaitMs < Infinity) waiter.expireAfter(maxWaitMs);',
    replace: '',
  },
  {
    name: 'waits-that-cannot-succeed',
    rule: 'P7.5',
    file: bulkhead,
    find: 'clock.now() + waitMs > deadlineMs',
    replace: 'false',
  },
  {
    name: 'places-behind-others-do-not-cost',
    rule: 'P7.5',
    file: room,
    find: 'return (this.serviceMs * place) / this.limit;',
    replace: 'return this.serviceMs / this.limit;',
  },
  {
    name: 'fallback-on-cancellation',
    rule: 'P8',
    file: fallback,
    find: 'if (isAborted(s)) throw thrown;',
    replace: '',
  },
  {
    name: 'fallback-forgets-the-cause',
    rule: 'P8',
    file: fallback,
    find: 'giveCause(thrown, error);',
    replace: '',
  },
  {
    name: 'fallback-of-successes',
    rule: 'P8',
    file: fallback,
    find: '!Object.is(inside.judged, value) || isAborted(s)',
    replace: 'isAborted(s)',
  },
  {
    name: 'layers-inside-out',
    rule: 'P1.1',
    file: stage,
    find: 'this.gates.push(layer);',
    replace: 'this.gates.unshift(layer);',
  },
];

/** Applies a mutant to what is imported from now on. Each change must be possible. */
export function mutate({ file, find, replace }: Mutant): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(`/src/${file}`)) return loaded;
      const source = String(loaded.source);
      if (source.split(find).length !== 2) throw new Error(`'${find}' does not stand once in src/${file}`);
      return { ...loaded, source: source.replace(find, () => replace) };
    },
  });
}
