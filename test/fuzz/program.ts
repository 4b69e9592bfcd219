/**
 * What a fuzzed program is: plain JSON data, read by two interpreters, `reference.ts` (the rules alone) and `run.ts` (the real scope).
 *
 * A program is a tree of frames (scopes). A frame has options, a body and the cleanups that the body registers; body, cleanup and
 * `recover` are each a script: a list of steps and an end. Every site (frame, script, task, error, value, watcher) has a number of its
 * own within the program and is reached at most once, so the number names it in the traces of both interpreters.
 *
 * References between sites are by number (`task`, `on`). One that leads nowhere, because its target has not begun or was taken away by
 * the shrinker, is a step that does nothing. So every subtree can be dropped and the rest remains a program.
 */

/** What kind of thing is thrown. All but the first three are primitives or hostile. */
export type ErrorKind = 'plain' | 'frozen' | 'hostile' | 'cyclic' | 'string' | 'undefined';

/** A new error, made where it is named. `id` is its site. */
export interface Fresh {
  readonly id: number;
  readonly kind: ErrorKind;
}

/** A value that a body returns or a verb sets; `null` stands for `undefined`. */
export type Value = number | null;

/** What a step does with an error that came out of it; without a handler the script ends with that error. */
export type Catch =
  | { readonly how: 'swallow' }
  | { readonly how: 'return'; readonly value: Value }
  | { readonly how: 'own'; readonly error: Fresh }
  /** A new error whose `cause` chain of `depth` links ends in the caught one: how Node's own APIs report an abort. */
  | { readonly how: 'wrap'; readonly error: Fresh; readonly depth: number };

export interface Cleanup {
  readonly id: number;
  readonly script: Script;
}

/** Steps marked (cleanup) use the exit of the cleanup they stand in; `on` names a scope other than the script's own. */
export type Step = { readonly catch?: Catch } & (
  | { readonly do: 'sleep'; readonly ms: number; readonly on?: number }
  | { readonly do: 'deaf'; readonly ms: number }
  | { readonly do: 'never' } // (cleanup) of a frame with cleanupTimeout
  | { readonly do: 'defer' | 'use' | 'adopt'; readonly cleanup: Cleanup; readonly on?: number }
  | { readonly do: 'go'; readonly task: number; readonly frame: Frame; readonly on?: number }
  | { readonly do: 'race'; readonly task: number; readonly frames: readonly Frame[]; readonly on?: number }
  | {
      readonly do: 'map';
      readonly task: number;
      readonly frames: readonly Frame[];
      readonly concurrency: number;
      readonly on?: number;
    }
  | { readonly do: 'await'; readonly task: number }
  | { readonly do: 'cancelTask'; readonly task: number; readonly reason?: Fresh }
  | { readonly do: 'cancel'; readonly on?: number; readonly reason?: Fresh }
  /** A nested scope: alone, linked by `s`, by `s.signal`, or to the program's outer signal; `float`: not awaited. */
  | {
      readonly do: 'scope';
      readonly frame: Frame;
      readonly link: 'none' | 'scope' | 'signal' | 'outer';
      readonly float?: boolean;
    }
  | { readonly do: 'scopeSync'; readonly frame: Frame }
  | { readonly do: 'check' } // throwIfAborted
  | { readonly do: 'look' } // reads s.signal
  | { readonly do: 'time' } // reads timeLeft and the inherited value
  | { readonly do: 'watch'; readonly id: number } // an abort listener on s.signal
  | { readonly do: 'recover'; readonly value?: Value } // (cleanup) without a value: recover()
  | { readonly do: 'set'; readonly value: Value } // (cleanup)
  | { readonly do: 'fail'; readonly how: 'own' | 'wrap' | 'same'; readonly error: Fresh } // (cleanup)
  | { readonly do: 'peek' } // (cleanup) notes what the exit shows
  | { readonly do: 'later'; readonly id: number; readonly ms: number; readonly steps: readonly Step[] } // (cleanup) its verbs, when it is over
);

export type End =
  | { readonly end: 'return'; readonly value: Value }
  | { readonly end: 'resource'; readonly cleanup: Cleanup } // returns a disposable: a race disposes of a loser's
  | { readonly end: 'throw'; readonly error: Fresh }
  /** If the scope is aborted, throws an envelope of the reason; else returns. */
  | { readonly end: 'wrapReason'; readonly error: Fresh; readonly depth: number }
  /** (cleanup, recover) Throws an envelope of the current failure; returns when there is none. */
  | { readonly end: 'wrapError'; readonly error: Fresh; readonly depth: number }
  /** (cleanup, recover) Throws the current failure itself; returns when there is none. */
  | { readonly end: 'rethrow' }
  /** (scopeSync) Returns a promise, which is refused. */
  | { readonly end: 'promise' };

export interface Script {
  readonly steps: readonly Step[];
  readonly end: End;
  /** A plain function instead of an async one; only where no step waits. */
  readonly sync?: boolean;
}

export interface Frame {
  readonly id: number;
  readonly timeout?: number;
  readonly cleanupTimeout?: number;
  readonly recover?: Script;
  /** What the frame gives under the one context key of the fuzzer. */
  readonly value?: number;
  readonly body: Script;
}

export interface Program {
  readonly outer?: { readonly abortAt?: number; readonly reason?: Fresh };
  readonly root: Frame;
}
