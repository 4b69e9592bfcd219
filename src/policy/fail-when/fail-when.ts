/** The layer `failWhen`. What it does is in the run: a result that it judges a failure is one for every layer around it. */
import { checkFunction } from '../../foundation/index.ts';
import { refusePromise } from '../../scope/frame.ts';
import type { Judge } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';

/**
 * Takes results for failures, such as a response with status 503. Must be innermost.
 *
 * For every layer around it the result stands in the place of an error: it is classified (a `status` is looked at as an error's is), retried, counted
 * by a breaker. When there is no further attempt it comes out as the result that it is. One that a retry replaces is disposed of, if it is disposable.
 *
 * @param isFailure asked for each result; what it throws ends the call
 * @throws {TypeError} code `BAD_OPTION`, when the layer is made, or `policy(…)` finds it not innermost
 * @example
 * const answers = scripted([{ status: 429 }, { status: 200 }]);
 * const polite = policy(retry({ backoff: constant(0) }), failWhen((r: { status: number }) => r.status >= 400));
 * await polite.run(answers); // { status: 200 }
 */
// `any`: a function that looks at one type of results is welcome; that the operation gives these is its user's to know.
export function failWhen(isFailure: (result: any) => boolean): Policy {
  checkFunction('failWhen', isFailure);
  const layer: Judge = {
    kind: 'judge',
    isFailure: (result) => {
      const answer: unknown = isFailure(result);
      refusePromise('failWhen', answer);
      return Boolean(answer);
    },
    toString: () => 'failWhen',
  };
  return new Policy([layer]);
}
