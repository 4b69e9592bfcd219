/** The layer `layer`: one's own. */
import { checkFunction, checkOption, checkOptions } from '../../foundation/index.ts';
import type { Scope } from '../../scope/index.ts';
import type { Middleware } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';

/** One's own layer. */
export interface LayerOptions {
  /** For `String(policy)` and events. */
  readonly name: string;
  /**
   * Runs in place of what is inside it.
   *
   * @param next runs what is inside, linked to `s`, and gives what comes out of that. It may be called more than once, or not at all
   * @param s a scope around it
   */
  run(next: () => Promise<any>, s: Scope): unknown;
}

/**
 * A layer of one's own, around the layers inside it.
 *
 * @throws {TypeError} code `BAD_OPTION`, when the layer is made
 * @example
 * const log: string[] = [];
 * const logged = layer({ name: 'log', run: (next, s) => { s.defer((exit) => log.push(exit.ok ? 'ok' : 'failed')); return next(); } });
 * await policy(logged, retry()).run(() => 1); // 1
 * log; // ['ok']
 */
export function layer(options: LayerOptions): Policy {
  checkOptions('layer', ['name', 'run'], options);
  const { name, run } = options; // oxlint-disable-line typescript/unbound-method -- called with its options
  checkOption(typeof name === 'string', 'name', name, 'a string');
  checkFunction('run', run);
  const middleware: Middleware = {
    kind: 'middleware',
    name,
    run: (next, s) => run.call(options, next, s),
    toString: () => name,
  };
  return new Policy([middleware]);
}
