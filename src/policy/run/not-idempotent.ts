/** The warning that nobody has said whether an operation may run twice, and that a layer did without a second run for it. */
import { policyWarning } from './events.ts';

/** Of one layer, which warns once: by an event, and on the console, because who does not know of it listens to no event either. */
export class NotIdempotentWarning {
  private isGiven = false;

  /**
   * @param message what was not done, and what to declare
   * @param error the failure because of which that would have been
   */
  give(name: string | undefined, message: string, error: unknown): void {
    if (this.isGiven) return;
    this.isGiven = true;
    const text = `holdfast: ${message}`;
    if (policyWarning.observed) policyWarning.emit({ name, warning: 'not-idempotent', message: text, error });
    console.warn(text);
  }
}
