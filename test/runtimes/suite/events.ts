/** Events, and the channels of the platform that carry them where there are any. */
import { onEvent, scope } from 'holdfast';
import { builtin, equal, type Group } from './harness.ts';

const failingCleanup = (name: string): Promise<unknown> =>
  scope({ name }, (s) => {
    s.defer(() => Promise.reject(new Error('close failed')));
  }).catch(() => {});

export const events: Group = {
  about: 'events',
  tests: {
    'a listener is told until it is disposed of': async () => {
      const told: unknown[] = [];
      const listener = onEvent('scope:cleanup-failed', ({ event, name, error }) =>
        told.push([event, name, String(error)]),
      );
      await failingCleanup('report');
      listener[Symbol.dispose]();
      await failingCleanup('not told');
      equal(told, [['scope:cleanup-failed', 'report', 'Error: close failed']]);
    },
  },
};

interface Diagnostics {
  subscribe(name: string, listener: (message: { readonly name: unknown }) => void): void;
  unsubscribe(name: string, listener: (message: { readonly name: unknown }) => void): void;
}

export const channels: Group = {
  about: 'events',
  needs: 'diagnostics_channel',
  tests: {
    'a subscriber of the diagnostics_channel is told, without importing us': async () => {
      const told: unknown[] = [];
      const diagnostics = builtin('diagnostics_channel') as Diagnostics;
      const listener = ({ name }: { readonly name: unknown }): void => void told.push(name);
      diagnostics.subscribe('holdfast:scope:cleanup-failed', listener);
      await failingCleanup('report');
      diagnostics.unsubscribe('holdfast:scope:cleanup-failed', listener);
      await failingCleanup('not told');
      equal(told, ['report']);
    },
  },
};
