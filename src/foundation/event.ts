/**
 * Events tell what the library decided. While nobody listens they cost one comparison: whoever has something to tell asks
 * `observed` first, and only then builds the event.
 *
 * Listeners are `onEvent`'s, and on Node, Bun and Deno also subscribers of the `diagnostics_channel` named `holdfast:` and the event.
 */
import { clock } from './clock.ts';
import { channel } from './system.ts';

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

/** Under this name: the listeners of every event. */
export const EVERY_EVENT = '*';

/** The listeners by event. They exist apart from the emitter, which may be loaded later than its listeners come. */
const listenersOf = /* @__PURE__ */ new Map<string, Set<Listener<never>>>();

function listeners(event: string): Set<Listener<never>> {
  let set = listenersOf.get(event);
  if (set === undefined) listenersOf.set(event, (set = new Set()));
  return set;
}

/** How many listeners there are in all. Nearly always none, and then this is all that an event costs: to ask the sets would cost five times as much. */
let listening = 0;

/** One kind of event. Whoever has one to tell asks `observed` first. */
export class EventType<E extends HoldfastEvent> {
  readonly event: E['event'];
  private readonly own: Set<Listener<never>>;
  private readonly all: Set<Listener<never>> = listeners(EVERY_EVENT);
  private readonly channel;

  constructor(event: E['event']) {
    this.event = event;
    this.own = listeners(event);
    this.channel = channel(`holdfast:${event}`);
  }

  get observed(): boolean {
    if (listening > 0 && (this.own.size > 0 || this.all.size > 0)) return true;
    return this.channel !== undefined && this.channel.hasSubscribers;
  }

  /**
   * Hands the event, with its kind and time, to each listener. One that throws stops neither the others nor the work that the event tells of:
   * its error surfaces as an uncaught exception of its own, as for a subscriber of a `diagnostics_channel`.
   */
  emit(fields: Omit<E, 'event' | 'at'>): void {
    const event = { event: this.event, at: clock.now(), ...fields } as E;
    for (const listener of [...this.own, ...this.all] as Listener<E>[]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    this.channel?.publish(event);
  }
}

/** Listens to one event until disposed of. The same function may listen more than once. */
export function subscribe<E>(event: string, listener: Listener<E>): Disposable {
  const own: Listener<E> = (e) => listener(e);
  listeners(event).add(own);
  listening++;
  return {
    [Symbol.dispose]: () => {
      if (listeners(event).delete(own)) listening--;
    },
  };
}
