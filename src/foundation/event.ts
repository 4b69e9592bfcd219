/**
 * Events tell what the library decided. While nobody listens they cost one comparison: whoever has something to tell asks
 * `observed` first, and only then builds the event.
 *
 * Listeners are `onEvent`'s, and on Node, Bun and Deno also subscribers of the `diagnostics_channel` named `holdfast:` and the event.
 */
import { diagnosticsChannel } from './system.ts';

/** What every event has. */
export interface HoldfastEvent {
  /** Which event, such as `'scope:cleanup-failed'`. */
  readonly event: string;
  /** The name of the scope, policy or layer it tells of, if it was given one. */
  readonly name: string | undefined;
  /** When, on the monotonic clock, in milliseconds. On virtual time: since its start. */
  readonly at: number;
}

export type Listener<E> = (event: E) => void;

/** The listeners of one event name. They exist apart from the emitter, which may be loaded later than its listeners come. */
const listenersOf = new Map<string, Set<Listener<never>>>();

function listeners(event: string): Set<Listener<never>> {
  let set = listenersOf.get(event);
  if (set === undefined) listenersOf.set(event, (set = new Set()));
  return set;
}

/** Under this name: the listeners of every event. */
export const EVERY_EVENT = '*';

/** One kind of event: `emit` hands it to everyone who listens. */
export class EventType<E extends HoldfastEvent> {
  readonly event: E['event'];
  private readonly listeners: Set<Listener<never>>;
  private readonly listenersOfAll: Set<Listener<never>>;
  private readonly channel;

  constructor(event: E['event']) {
    this.event = event;
    this.listeners = listeners(event);
    this.listenersOfAll = listeners(EVERY_EVENT);
    this.channel = diagnosticsChannel?.(`holdfast:${event}`);
  }

  get observed(): boolean {
    return this.listeners.size > 0 || this.listenersOfAll.size > 0 || this.channel?.hasSubscribers === true;
  }

  /**
   * Hands the event to each listener. A listener that throws stops neither the others nor the work that the event tells of:
   * its error surfaces as an uncaught exception of its own, as for a `diagnostics_channel` subscriber.
   */
  emit(event: E): void {
    for (const listener of [...this.listeners, ...this.listenersOfAll] as Listener<E>[]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    if (this.channel?.hasSubscribers === true) this.channel.publish(event);
  }
}

/** Listens to one event until disposed of. The same function may listen more than once. */
export function subscribe<E>(event: string, listener: Listener<E>): Disposable {
  const own: Listener<E> = (e) => listener(e);
  listeners(event).add(own);
  return {
    [Symbol.dispose]: () => {
      listeners(event).delete(own);
    },
  };
}
