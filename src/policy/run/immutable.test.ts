/** P1.1: a policy is an immutable value, whatever becomes of the objects that it was made from. */
import { expect, test } from 'vitest';
import { constant, layer, retry } from '../../index.ts';

test('P1.1 a list that `retryOn` was given may change: the layer does not', async () => {
  const codes = ['EBUSY'];
  const busy = retry({ attempts: 2, backoff: constant(0), retryOn: codes });
  codes.push('EOTHER');
  let runs = 0;
  const outcome = await busy.settle(() => {
    runs++;
    throw Object.assign(new Error('other'), { code: 'EOTHER' });
  });
  expect([outcome.stoppedBy, runs]).toEqual(['verdict', 1]);
});

test('P1.1 options that `layer` was given may change: the layer does not, and `run` has them as `this`', async () => {
  const options = {
    name: 'tagged',
    tag: 'own',
    async run(next: () => Promise<any>) {
      return `${this.tag} ${await next()}`;
    },
  };
  const { tag, ...known } = options;
  const prototype = Object.create({}, { tag: { value: tag } }) as object;
  const tagged = layer(Object.assign(prototype, known));
  known.run = async () => 'changed';
  Object.assign(prototype, { run: async () => 'changed' });
  expect(await tagged.run(() => 'result')).toBe('own result');
});
