// A scope with one or five cleanups, sync or async, beside try/finally written by hand, `await using` and AsyncDisposableStack.
import { report, times, wanted } from '../case.mjs';
import { compare, fresh } from '../compare.mjs';
import { scope } from '../../dist/index.js';

const tryFinally = (n, wait) =>
  `(cleanup, body) => async () => { ${'try { '.repeat(n)}return await body();${` } finally { ${wait}cleanup(); }`.repeat(n)} }`;
const awaitUsing = (n) =>
  `(D, cleanup, body) => async () => { ${Array.from({ length: n }, (_, i) => `await using r${i} = new D(cleanup); `).join('')}return await body(); }`;
const withScope = (n) =>
  `(scope, cleanup, body) => () => scope((s) => { for (let i = 0; i < ${n}; i++) s.defer(cleanup); return body(); })`;
const withStack = (n) =>
  `(cleanup, body) => async () => { const stack = new AsyncDisposableStack(); try { for (let i = 0; i < ${n}; i++) stack.defer(cleanup); return await body(); } finally { await stack.disposeAsync(); } }`;

class Disposing {
  constructor(cleanup) {
    this.cleanup = cleanup;
  }
  [Symbol.asyncDispose]() {
    return this.cleanup();
  }
}

const count = { n: 0 };
/** @type {import('../case.mjs').Group[]} */
const results = [];
for (const n of [1, 5]) {
  for (const kind of ['sync', 'async']) {
    const cleanup = () =>
      fresh(kind === 'sync' ? '(count) => () => { count.n++; }' : '(count) => async () => { count.n++; }')(count);
    const body = () => fresh('async () => 42');
    const contenders = [
      { name: 'try/finally', run: fresh(tryFinally(n, kind === 'sync' ? '' : 'await '))(cleanup(), body()) },
      { name: 'holdfast', run: fresh(withScope(n))(scope, cleanup(), body()) },
      { name: '`await using`', run: fresh(awaitUsing(n))(Disposing, cleanup(), body()) },
      { name: 'AsyncDisposableStack', run: fresh(withStack(n))(cleanup(), body()) },
    ];
    const rows = contenders.filter(({ name }, i) => i === 0 || wanted(name));
    results.push(times(`${n} cleanup${n === 1 ? '' : 's'}, ${kind}`, await compare(rows)));
  }
}
report(results);
