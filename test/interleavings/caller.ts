/** Who calls, and the runs of their operation: what the schedule does with them, and what became of them. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Scope } from '../../src/index.ts';
import type { Random } from '../fuzz/random.ts';

/** Whose call it is. */
export const callerStorage = new AsyncLocalStorage<Caller>();

/** A result that somebody has to dispose of. */
export class Result implements Disposable {
  readonly label: string;
  disposed = 0;

  constructor(label: string) {
    this.label = label;
  }

  [Symbol.dispose](): void {
    this.disposed++;
  }

  toString(): string {
    return this.label;
  }
}

export type End = { readonly value: unknown } | { readonly error: unknown };

/** One run of the operation. */
export class Work {
  readonly caller: Caller;
  readonly s: Scope;
  readonly label: string;
  /** Body, children and cleanups that have not ended. */
  open = 0;
  /** It listens to its signal. */
  heeds = false;
  /** What the body came to. */
  end: End | undefined;
  /** What cleanups and children threw. */
  readonly errors: unknown[] = [];
  /** It began when the breaker was half-open, for the n-th time. */
  halfOpen = 0;

  constructor(caller: Caller, s: Scope) {
    this.caller = caller;
    this.s = s;
    this.label = `operation ${caller.label}.${caller.works.length + 1}`;
  }

  get isOver(): boolean {
    return this.open === 0;
  }

  failedWith(error: unknown): boolean {
    return (this.end !== undefined && 'error' in this.end && this.end.error === error) || this.errors.includes(error);
  }
}

export class Caller {
  readonly label: string;
  readonly controller: AbortController | undefined;
  readonly how: 'run' | 'settle' | 'in a scope';
  /** Of the scope. */
  readonly deadlineMs: number;
  readonly idempotent: boolean | undefined;
  readonly startedMs: number;
  readonly works: Work[] = [];
  /** The call has settled; a scope around it may still wait for what it has abandoned. */
  isAnswered = false;
  end: End | undefined;
  /** It was aborted when all was quiet and the call had not settled. */
  mustNotTimeOut = false;

  constructor(index: number, controller: AbortController | undefined, startedMs: number, random: Random) {
    this.label = String.fromCharCode(97 + index);
    this.controller = controller;
    this.startedMs = startedMs;
    this.how = random.pick(['run', 'run', 'settle', 'in a scope']);
    const hasDeadline = this.how === 'in a scope' && random.chance(0.4);
    this.deadlineMs = hasDeadline ? startedMs + random.pick([5, 20, 40]) : Infinity;
    this.idempotent = random.pick([undefined, undefined, true, false]);
  }

  get isAborted(): boolean {
    return this.controller?.signal.aborted === true;
  }
}
