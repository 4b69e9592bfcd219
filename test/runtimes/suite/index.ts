/**
 * The one list of tests that runs everywhere. They import the package as a user does, and nothing else: no test runner, no module of Node.
 * Another test: an entry in the file of its subject. Another subject: a file, and a line here.
 */
import { asyncContext } from './async-context.ts';
import { cancellation } from './cancellation.ts';
import { channels, events } from './events.ts';
import type { Group } from './harness.ts';
import { policies } from './policies.ts';
import { rejections } from './rejections.ts';
import { requests } from './requests.ts';
import { disposal, scopes, stacks } from './scopes.ts';
import { timers } from './timers.ts';
import { virtual } from './virtual-time.ts';

export const groups: readonly Group[] = [
  scopes,
  disposal,
  stacks,
  cancellation,
  timers,
  virtual,
  policies,
  events,
  channels,
  asyncContext,
  requests,
  rejections,
];
