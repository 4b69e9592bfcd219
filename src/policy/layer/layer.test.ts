/** `layer`: one's own layer around the layers inside it. */
import { describe, expect, test } from 'vitest';
import { fail, scripted } from '../../testing/index.ts';
import { errorOf, settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  constant,
  contextKey,
  failWhen,
  layer,
  policy,
  retry,
  scope,
  stoppedBy,
  suppressedErrors,
  timeout,
  TimeoutError,
  type LayerOptions,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const own = new Error('own');
const throws = (error: unknown) => (): never => {
  throw error;
};

describe('a layer of one’s own', () => {
  test('runs around what is inside it: before, after, and instead', async () => {
    const log: string[] = [];
    const logged = (name: string) =>
      layer({
        name,
        run: async (next) => {
          log.push(`${name} begins`);
          const value = (await next()) as unknown;
          log.push(`${name} ends`);
          return value;
        },
      });
    expect(await policy(logged('a'), retry(), logged('b')).run(() => (log.push('op'), 17))).toBe(17);
    expect(log).toEqual(['a begins', 'b begins', 'op', 'b ends', 'a ends']);
    const instead = layer({ name: 'instead', run: () => 'cached' });
    expect(await policy(instead, retry()).run(() => expect.fail('ran'))).toBe('cached');
  });

  test('may change what comes out', async () => {
    const doubled = layer({ name: 'doubled', run: async (next) => ((await next()) as number) * 2 });
    expect(await policy(doubled).run(() => 21)).toBe(42);
    const translated = layer({
      name: 'translated',
      run: (next) => next().catch((cause: unknown) => throws(new Error('translated', { cause }))()),
    });
    expect(await errorOf(policy(translated).run(throws(own)))).toMatchObject({ message: 'translated', cause: own });
  });

  test('hands on errors as the same object', async () => {
    const plain = layer({ name: 'plain', run: (next) => next() });
    for (const error of [own, undefined, 'text', Object.freeze(new Error('frozen'))])
      expect(await errorOf(policy(plain, plain).run(throws(error)))).toBe(error);
  });

  test('that throws, at once or not, fails the call with that', async () => {
    for (const run of [throws(own), async () => throws(own)()]) {
      const made = policy(layer({ name: 'fails', run }), retry());
      expect(await errorOf(made.run(() => expect.fail('ran')))).toBe(own);
    }
  });

  test('inside a retry runs in each attempt; what it throws is retried', async () => {
    let runs = 0;
    const flaky = layer({ name: 'flaky', run: (next) => (runs++ === 0 ? throws(own)() : next()) });
    const seen: unknown[] = [];
    await policy(retry({ backoff: zero }), flaky).run((s) => void seen.push([s.attempt, s.previousError]));
    expect([runs, seen]).toEqual([2, [[2, own]]]);
  });

  test('may call next more than once: each is a call of what is inside', async () => {
    const twice = layer({ name: 'twice', run: async (next) => [await next(), await next()] });
    const op = scripted([fail(own), 'a', 'b']);
    expect(await policy(twice, retry({ backoff: zero })).run(op)).toEqual(['a', 'b']);
    const both = layer({ name: 'both', run: (next) => Promise.all([next(), next()]) });
    expect(await policy(both).run(scripted([1, 2]))).toEqual([1, 2]);
  });

  test('takes part in the call as a scope does: cleanups, children, recover', async () => {
    const log: unknown[] = [];
    const held = layer({
      name: 'held',
      run: (next, s) => {
        s.defer((exit) => log.push([exit.ok, exit.error]));
        void s.go((child) => child.sleep(10).then(() => log.push('child')));
        return next();
      },
    });
    await settleInTime(() => policy(held).run(throws(own)));
    expect(log).toEqual([[false, own]]); // the child was cancelled with it
    const recovers = layer({
      name: 'recovers',
      run: (next, s) => (s.defer((exit) => exit.recover('recovered')), next()),
    });
    expect(await policy(recovers, retry({ attempts: 1 })).run(throws(own))).toBe('recovered');
    const cleanup = new Error('cleanup');
    const fails = layer({ name: 'fails', run: (next, s) => (s.defer(throws(cleanup)), next()) });
    expect(await errorOf(policy(fails).run(() => 'result'))).toBe(cleanup);
    await errorOf(policy(fails).run(throws(own)));
    expect(suppressedErrors(own)).toEqual([cleanup]);
  });

  test('hangs where the call hangs: it sees values and deadline, and cancels what is inside it', async () => {
    const traceId = contextKey<string>('trace_id');
    const seen: unknown[] = [];
    const looks = layer({
      name: 'looks',
      run: (next, s) => {
        seen.push(s.get(traceId), s.timeLeft());
        return next();
      },
    });
    await settleInTime(() =>
      scope({ values: [[traceId, 'a1']], timeout: 1000 }, (s) =>
        policy(timeout(500), looks).run((attempt) => void seen.push(attempt.get(traceId), attempt.timeLeft()), {
          signal: s,
        }),
      ),
    );
    expect(seen).toEqual(['a1', 500, 'a1', 500]);
    const reason = new Error('cancelled');
    const cancels = layer({
      name: 'cancels',
      run: (next, s) => {
        const inside = next();
        s.cancel(reason);
        return inside;
      },
    });
    expect(await errorOf(policy(cancels, retry()).run((s) => s.sleep('1h')))).toBe(reason);
    expect(stoppedBy(reason)).toBe('cancelled');
  });

  test('is aborted by a timeout outside it, and by the caller', async () => {
    const reasons: unknown[] = [];
    const waits = layer({
      name: 'waits',
      run: (_next, s) => s.sleep('1h').catch((error: unknown) => throws((reasons.push(error), error))()),
    });
    const late = await settleInTime(() => policy(timeout(10), waits).run(() => expect.fail('ran')));
    expect(late).toEqual({ error: expect.any(TimeoutError) });
    const controller = new AbortController();
    const call = errorOf(policy(waits, retry()).run(() => expect.fail('ran'), { signal: controller.signal }));
    controller.abort(own);
    expect(await call).toBe(own);
    expect(reasons).toEqual([(late as { error: unknown }).error, own]);
  });

  test('does not begin in a call that was cancelled before', async () => {
    const unreached = layer({ name: 'unreached', run: () => expect.fail('ran') });
    expect(await errorOf(policy(unreached).run(() => 1, { signal: AbortSignal.abort(own) }))).toBe(own);
  });

  test('asks nothing of failWhen, whose result it is given', async () => {
    const seen: unknown[] = [];
    const looks = layer({ name: 'looks', run: async (next) => (seen.push(await next()), seen[0]) });
    expect(
      await policy(
        looks,
        failWhen(() => true),
      ).run(() => 'bad'),
    ).toBe('bad');
    expect(seen).toEqual(['bad']);
  });
});

describe('P1.2 layer refuses', () => {
  const refusal = (options: unknown): any => {
    try {
      layer(options as LayerOptions);
    } catch (error) {
      return error;
    }
    return expect.fail('was not refused');
  };
  const run = (next: () => Promise<unknown>): Promise<unknown> => next();

  test('a name that is no text, or none', () => {
    for (const name of [undefined, null, 1, {}, Symbol('n')]) {
      const error = refusal({ name, run });
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option: 'name', expected: 'a string' });
      expect(error.given).toBe(name);
    }
  });

  test('a run that is no function, or none', () => {
    for (const bad of [undefined, null, 1, 'text', {}]) {
      expect(refusal({ name: 'own', run: bad })).toMatchObject({
        code: 'BAD_OPTION',
        option: 'run',
        expected: 'a function',
      });
    }
  });

  test('an option that it does not know, and options that are no object', () => {
    expect(refusal({ name: 'own', run, retries: 1 })).toMatchObject({
      option: 'retries',
      expected: 'an option of layer: name, run',
    });
    for (const options of [undefined, null, 1, 'text', run])
      expect(refusal(options)).toMatchObject({ option: 'layer', expected: 'an object with options' });
  });
});
