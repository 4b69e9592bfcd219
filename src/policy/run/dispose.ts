/** Results that nobody gets. */
import { asyncDisposer } from '../../scope/frame.ts';
import { disposalFailed } from './events.ts';

/** Disposes of `value`, if it is disposable. Nobody waits for that, so what goes wrong is an event. */
export function dispose(name: string | undefined, value: unknown): void {
  const failed = (error: unknown): void => {
    if (disposalFailed.observed) disposalFailed.emit({ name, error });
  };
  try {
    Promise.resolve(asyncDisposer(value)?.()).then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}
