/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The test kit: the same scopes and policies, on time and chance that the test decides.
 *
 *   virtual-time     the clock, timers and randomness of everything inside
 *   scripted         an operation that answers a script
 *   record-events    the events as a list
 *
 * `seededRandom` makes streams of random numbers that a seed brings back.
 *
 * @packageDocumentation
 */
export { seededRandom } from '../foundation/index.ts';
export { recordEvents, type RecordedEvents } from './record-events.ts';
export { after, fail, scripted, type Scripted, type ScriptedCall, type Step } from './scripted.ts';
export { virtualTime, type VirtualTime, type VirtualTimeOptions } from './virtual-time.ts';
