// What we claim of the policies, and have run with each peer that has such a thing. A claim is a sentence and some parts. A
// part names the layers that it needs, the outermost first, and says what it has seen that the sentence denies.
//
// Another claim: in the file of its subject. `npm run bench -- claims --write` brings the document up to date.
import { breakerClaims } from './breaker.mjs';
import { bulkheadClaims } from './bulkhead.mjs';
import { callClaims } from './call.mjs';
import { retryClaims } from './retry.mjs';
import { timeoutClaims } from './timeout.mjs';

/**
 * @typedef {(seen: string) => void} Wrong says what was seen
 * @typedef {import('../peers/index.mjs').Peer} Peer
 * @typedef {object} Part
 * @property {import('../peers/index.mjs').Stack} stack
 * @property {boolean} [cancels] all layers must look at the caller's signal
 * @property {string} [needs] a feature that not every peer with these layers has
 * @property {(call: ReturnType<Peer['stack']>, wrong: Wrong, peer: Peer) => Promise<void>} run
 * @typedef {{ name: string, title: string, parts: Part[] }} Claim
 */

/** @type {readonly Claim[]} */
export const claims = [...callClaims, ...retryClaims, ...timeoutClaims, ...breakerClaims, ...bulkheadClaims];
