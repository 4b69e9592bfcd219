import { HoldfastError } from '../foundation/index.ts';

/**
 * A scope was used after its end, or asked for a child while it ran its cleanups. Code `SCOPE_ENDED`.
 * What was to be registered has been cleaned up; if that failed, the failure is the `cause`.
 */
export class ScopeEndedError extends HoldfastError {
  static override readonly code = 'SCOPE_ENDED';
  readonly code = 'SCOPE_ENDED';
  /** The scope's name. */
  readonly scope: string;

  constructor(scope: string, options?: ErrorOptions) {
    super(`${scope} has ended, or is cleaning up: nothing can be added to it`, options);
    this.scope = scope;
  }

  override get name(): string {
    return 'ScopeEndedError';
  }
}
