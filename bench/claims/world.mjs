// The world as the checks want it: a wall clock that can be set, as an operator or a time server does it, and random numbers
// that are always nearly 1, which makes every jitter the longest.
const RealDate = Date;
let offsetMs = 0;

class SettableDate extends RealDate {
  constructor(/** @type {any[]} */ ...args) {
    if (args.length === 0) super(RealDate.now() + offsetMs);
    // @ts-expect-error -- whichever form of the constructor it is
    else super(...args);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
}

/** To be called before a peer is loaded: some keep what they find then. */
export function prepareWorld() {
  globalThis.Date = /** @type {any} */ (SettableDate);
  Math.random = () => 1 - Number.EPSILON;
}

/** Sets the wall clock. @param {number} ms forward, or back if negative */
export function jump(ms) {
  offsetMs += ms;
}
