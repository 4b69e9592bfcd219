/**
 * The seeded generator of fuzzed programs.
 *
 * Covered: everything that `program.ts` can say. Durations are spread over four powers of ten, so that timeouts, sleeps and cancellations
 * overtake each other, and are odd numbers of six digits, so that two timers are hardly ever due at one instant (the reference notices
 * and the program is not compared).
 *
 * Not covered: bodies that never settle (the program would not end; `nth-callback.test.ts` has them with a cancellation at the end);
 * `undefined` as an explicit reason of `cancel`; scopes that act on a scope of which they know nothing (`on` names only scopes that stand
 * before them in the text, whether these have begun, unwind or have ended).
 */
import type { Catch, Cleanup, End, ErrorKind, Frame, Fresh, Program, Script, Step, Value } from './program.ts';
import { Random } from './random.ts';

type Where = 'body' | 'cleanup' | 'dispose' | 'resource' | 'recover' | 'syncBody' | 'syncCleanup';

/** Where a script stands. */
interface Place {
  readonly where: Where;
  readonly depth: number;
  /** The scope whose script it is has a cleanupTimeout. */
  readonly limited: boolean;
  /** It may overrun: from here on it uses nothing of the scope whose meaning is open then. */
  careful: boolean;
  readonly tasks: number[];
}

const MAX_DEPTH = 4;
const KINDS: readonly ErrorKind[] = [
  'plain',
  'plain',
  'plain',
  'plain',
  'plain',
  'frozen',
  'hostile',
  'cyclic',
  'string',
  'undefined',
];

/** What a script may do, by weight. */
const STEPS: Record<Where, readonly [Step['do'], number][]> = {
  body: [
    ['sleep', 10],
    ['deaf', 6],
    ['defer', 14],
    ['use', 2],
    ['adopt', 2],
    ['go', 10],
    ['await', 5],
    ['cancelTask', 3],
    ['cancel', 3],
    ['scope', 7],
    ['race', 2],
    ['map', 2],
    ['scopeSync', 1],
    ['check', 1],
    ['look', 1],
    ['time', 1],
    ['watch', 1],
  ],
  cleanup: [
    ['recover', 6],
    ['set', 2],
    ['fail', 2],
    ['peek', 2],
    ['defer', 3],
    ['sleep', 4],
    ['deaf', 3],
    ['never', 2],
    ['scope', 2],
    ['go', 1],
    ['cancel', 1],
    ['later', 1],
    ['look', 1],
    ['time', 1],
    ['watch', 1],
    ['scopeSync', 1],
  ],
  dispose: [
    ['sleep', 4],
    ['deaf', 3],
    ['never', 1],
    ['defer', 1],
    ['cancel', 1],
  ],
  resource: [['deaf', 1]], // it knows nothing of the scope that will dispose of it
  recover: [
    ['deaf', 3],
    ['defer', 2],
    ['scope', 1],
  ],
  syncBody: [
    ['defer', 6],
    ['use', 1],
    ['adopt', 1],
    ['scopeSync', 1],
  ],
  syncCleanup: [
    ['recover', 4],
    ['set', 2],
    ['fail', 2],
    ['peek', 2],
    ['defer', 2],
    ['scopeSync', 1],
  ],
};

/** What a script does that waits: one that does none of it may be a plain function. */
const WAITS = new Set<Step['do']>(['sleep', 'deaf', 'never', 'await', 'scope']);

export function generate(seed: string, index: number): Program {
  return new Generator(Random.of(seed, index)).program();
}

class Generator {
  readonly #random: Random;
  #sites = 0;
  /** Steps that the program may still have. */
  #budget: number;
  readonly #frames: number[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#budget = 2 + Math.floor(34 * random.next() ** 2);
  }

  program(): Program {
    const random = this.#random;
    if (random.chance(0.7)) return { root: this.#frame(0, true) };
    const abortAt = random.chance(0.1) ? 0 : this.#ms();
    const outer = { ...(random.chance(0.9) && { abortAt }), ...(random.chance(0.8) && { reason: this.#reason() }) };
    return { outer, root: this.#frame(0, true) };
  }

  #site(): number {
    return ++this.#sites;
  }

  #ms(): number {
    return Math.floor(1000 * 2 ** (this.#random.next() * 12)) * 2 + 1;
  }

  #fresh(): Fresh {
    return { id: this.#site(), kind: this.#random.pick(KINDS) };
  }

  /** A reason given to `cancel`: there `undefined` would mean none. */
  #reason(): Fresh {
    const fresh = this.#fresh();
    return fresh.kind === 'undefined' ? { ...fresh, kind: 'plain' } : fresh;
  }

  #value(): Value {
    return this.#random.chance(0.8) ? this.#site() : null;
  }

  #depth(): number {
    const random = this.#random;
    return random.chance(0.1) ? 40 : 1 + random.below(3);
  }

  // --- frames

  /** `optioned`: made by `scope`, which takes options; `go`, `race` and `map` take none. */
  #frame(depth: number, optioned: boolean): Frame {
    const random = this.#random;
    const id = this.#site();
    const cleanupTimeout = optioned && random.chance(0.25) ? this.#ms() : undefined;
    const body = this.#script(
      { where: 'body', depth, limited: cleanupTimeout !== undefined, careful: false, tasks: [] },
      id,
    );
    return {
      id,
      ...(optioned && random.chance(0.25) && { timeout: this.#ms() }),
      ...(cleanupTimeout !== undefined && { cleanupTimeout }),
      ...(optioned && random.chance(0.25) && { recover: this.#recover(depth) }),
      ...(optioned && random.chance(0.1) && { value: this.#site() }),
      body,
    };
  }

  #recover(depth: number): Script {
    return this.#script({ where: 'recover', depth, limited: false, careful: false, tasks: [] });
  }

  #syncFrame(depth: number): Frame {
    const id = this.#site();
    const body = this.#script({ where: 'syncBody', depth, limited: false, careful: false, tasks: [] });
    if (this.#random.chance(0.6)) return { id, body };
    const end = this.#end({ where: 'recover', depth, limited: false, careful: false, tasks: [] });
    return { id, body, recover: { steps: [], end, sync: true } };
  }

  #cleanup(where: Where, depth: number, limited: boolean): Cleanup {
    return { id: this.#site(), script: this.#script({ where, depth, limited, careful: false, tasks: [] }) };
  }

  // --- scripts

  #script(place: Place, frame?: number): Script {
    const random = this.#random;
    const steps: Step[] = [];
    const sync = place.where === 'syncBody' || place.where === 'syncCleanup';
    const wanted = place.where === 'body' ? 1 + random.below(8 - place.depth) : random.below(4);
    for (let i = 0; i < wanted && this.#budget > 0; i++) {
      this.#budget--;
      if (i === 1 && frame !== undefined) this.#frames.push(frame);
      const step = this.#step(place);
      if (step) steps.push(step);
      if (step && 'task' in step && step.do !== 'await' && step.do !== 'cancelTask')
        this.#followTask(place, steps, step.task);
    }
    if (frame !== undefined && !this.#frames.includes(frame)) this.#frames.push(frame);
    const end = this.#end(place);
    const plain = sync || (random.chance(0.5) && steps.every((step) => !WAITS.has(step.do)));
    return { steps, end, ...(plain && { sync: true }) };
  }

  #followTask(place: Place, steps: Step[], task: number): void {
    place.tasks.push(task);
    if (this.#random.chance(0.4)) steps.push(this.#caught({ do: 'await', task }));
  }

  #end(place: Place): End {
    const random = this.#random;
    const dice = random.next();
    if (place.where === 'body' || place.where === 'syncBody') return this.#bodyEnd(place.where, dice);
    if (dice < 0.55) return { end: 'return', value: place.where === 'recover' ? this.#value() : null };
    if (dice < 0.8 || place.where === 'dispose' || place.where === 'resource' || place.careful)
      return { end: 'throw', error: this.#fresh() };
    if (dice < 0.9) return { end: 'wrapError', error: this.#fresh(), depth: this.#depth() };
    return place.where === 'syncCleanup' && random.chance(0.3) ? { end: 'promise' } : { end: 'rethrow' };
  }

  #bodyEnd(where: Where, dice: number): End {
    if (dice < 0.6) return { end: 'return', value: this.#value() };
    if (dice < 0.9) return { end: 'throw', error: this.#fresh() };
    if (where === 'syncBody') return { end: 'promise' };
    return { end: 'wrapReason', error: this.#fresh(), depth: this.#depth() };
  }

  #caught(step: Step): Step {
    const random = this.#random;
    if (random.chance(0.6)) return step;
    const dice = random.next();
    const handler: Catch =
      dice < 0.4
        ? { how: 'swallow' }
        : dice < 0.6
          ? { how: 'return', value: this.#value() }
          : dice < 0.8
            ? { how: 'own', error: this.#fresh() }
            : { how: 'wrap', error: this.#fresh(), depth: this.#depth() };
    return { ...step, catch: handler };
  }

  // --- steps

  #step(place: Place): Step | undefined {
    const choices = STEPS[place.where];
    let dice = this.#random.next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
    const [kind] = choices.find(([, weight]) => (dice -= weight) < 0) as [Step['do'], number];
    return this.#make(kind, place);
  }

  /** Now and then another scope than the script's own. */
  #on(): { on?: number } {
    const random = this.#random;
    return this.#frames.length > 0 && random.chance(0.2) ? { on: random.pick(this.#frames) } : {};
  }

  #make(kind: Step['do'], place: Place): Step | undefined {
    const random = this.#random;
    const inCleanup = place.where === 'cleanup' || place.where === 'dispose';
    switch (kind) {
      case 'sleep':
        if (place.careful) return undefined;
        place.careful = inCleanup && place.limited;
        // `on` only in bodies: in a cleanup the other scope's state would nearly always be one that the rules leave open.
        return this.#caught({ do: 'sleep', ms: this.#ms(), ...(place.where === 'body' && this.#on()) });
      case 'deaf':
        place.careful ||= inCleanup && place.limited;
        return { do: 'deaf', ms: this.#ms() };
      case 'never':
        return place.limited ? { do: 'never' } : undefined;
      case 'defer':
      case 'use':
      case 'adopt':
        return this.#caught({
          do: kind,
          cleanup: this.#registered(kind, place),
          ...(place.where !== 'syncBody' && place.where !== 'syncCleanup' && this.#on()),
        });
      case 'await':
      case 'cancelTask':
        return this.#onTask(kind, place);
      case 'cancel':
        return { do: 'cancel', ...this.#on(), ...(random.chance(0.7) && { reason: this.#reason() }) };
      case 'later':
        return { do: 'later', id: this.#site(), ms: this.#ms(), steps: this.#verbs() };
      case 'check':
        return this.#caught({ do: 'check' });
      case 'look':
      case 'time':
      case 'peek':
        return place.careful ? undefined : { do: kind };
      case 'watch':
        return place.careful ? undefined : { do: 'watch', id: this.#site() };
      case 'recover':
      case 'set':
      case 'fail':
        return this.#verb(kind, place.careful);
      default:
        return this.#scopes(kind, place);
    }
  }

  #scopes(kind: Step['do'], place: Place): Step | undefined {
    const random = this.#random;
    if (place.depth >= MAX_DEPTH) return undefined;
    const depth = place.depth + 1;
    switch (kind) {
      case 'go':
        return this.#caught({ do: 'go', task: this.#site(), frame: this.#frame(depth, true), ...this.#on() });
      case 'race':
        return this.#caught({ do: 'race', task: this.#site(), frames: this.#contenders(depth), ...this.#on() });
      case 'map':
        return this.#caught({
          do: 'map',
          task: this.#site(),
          frames: this.#frames3(depth),
          concurrency: 1 + random.below(3),
          ...this.#on(),
        });
      case 'scope': {
        const link = place.careful ? 'none' : random.pick(['none', 'scope', 'signal', 'scope', 'outer'] as const);
        place.careful ||= place.limited && place.where === 'cleanup';
        return this.#caught({
          do: 'scope',
          frame: this.#frame(depth, true),
          link: place.where === 'recover' ? 'none' : link,
          ...(random.chance(0.25) && { float: true }),
        });
      }
      case 'scopeSync':
        return this.#caught({ do: 'scopeSync', frame: this.#syncFrame(depth) });
      default:
        throw new Error(`no such step: ${kind}`);
    }
  }

  #frames3(depth: number): Frame[] {
    return Array.from({ length: 1 + this.#random.below(3) }, () => this.#frame(depth, false));
  }

  /** Some return a resource, which a lost race must dispose of. */
  #contenders(depth: number): Frame[] {
    return this.#frames3(depth).map((frame) => {
      if (frame.body.end.end !== 'return' || this.#random.chance(0.5)) return frame;
      return {
        ...frame,
        body: { ...frame.body, end: { end: 'resource', cleanup: this.#cleanup('resource', depth, false) } },
      };
    });
  }

  /** A cleanup of this scope or, through `on`, of another one; `dispose` has no exit. */
  #registered(kind: 'defer' | 'use' | 'adopt', place: Place): Cleanup {
    const sync = place.where === 'syncBody' || place.where === 'syncCleanup';
    if (sync) return this.#cleanup(kind === 'defer' ? 'syncCleanup' : 'syncBody', MAX_DEPTH, false);
    return this.#cleanup(kind === 'defer' ? 'cleanup' : 'dispose', place.depth, place.limited);
  }

  #onTask(kind: 'await' | 'cancelTask', { tasks }: Place): Step | undefined {
    if (tasks.length === 0) return undefined;
    const task = this.#random.pick(tasks);
    if (kind === 'await') return this.#caught({ do: 'await', task });
    return { do: 'cancelTask', task, ...(this.#random.chance(0.7) && { reason: this.#reason() }) };
  }

  #verb(kind: 'recover' | 'set' | 'fail', careful: boolean): Step {
    const random = this.#random;
    if (kind === 'recover') return { do: 'recover', ...(random.chance(0.5) && { value: this.#value() }) };
    if (kind === 'set') return { do: 'set', value: this.#value() };
    return {
      do: 'fail',
      how: careful ? 'own' : random.pick(['own', 'own', 'wrap', 'same'] as const),
      error: this.#fresh(),
    };
  }

  #verbs(): Step[] {
    return (['recover', 'set', 'fail'] as const)
      .filter(() => this.#random.chance(0.6))
      .map((kind) => this.#verb(kind, true));
  }
}
