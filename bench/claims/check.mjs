// `node check.mjs PEER CLAIM`: one claim with one peer, in a process of its own, because what a check leaves behind (timers,
// a clock that was set, rejections) is nobody else's business. Prints a verdict.
import { callOf, peers } from '../peers/index.mjs';
import { claims } from './index.mjs';
import { pause, shown } from './see.mjs';
import { prepareWorld } from './world.mjs';

/**
 * `asked`: right only with an option or an order that the user has to know of (`note`).
 * @typedef {{ verdict: 'right' | 'asked' | 'wrong' | 'none', seen: string[], note?: string }} Verdict
 */

const [peerName = '', claimName = ''] = process.argv.slice(2);
const load = peers[peerName];
const claim = claims.find(({ name }) => name === claimName);
if (!load || !claim) throw new Error(`no peer ${peerName}, or no claim ${claimName}`);

/** The check that runs now hears of what nobody has handled. @type {(seen: string) => void} */
let wrong = () => {};
process.on('unhandledRejection', (error) => wrong(`unhandledRejection (${shown(error)})`));
process.on('uncaughtException', (error) => wrong(`uncaughtException (${shown(error)})`));

/** @param {import('./index.mjs').Peer} peer @returns {Promise<string[] | undefined>} nothing if no part fits the peer */
async function check(peer) {
  let fits = false;
  /** @type {Set<string>} */
  const seen = new Set();
  for (const part of claim.parts) {
    const layers = /** @type {import('../peers/index.mjs').LayerName[]} */ (Object.keys(part.stack));
    if (part.cancels && !layers.every((layer) => peer.cancellable?.includes(layer))) continue;
    if (part.needs && !peer.features?.[part.needs]) continue;
    const call = callOf(peer, part.stack);
    if (!call) continue;
    fits = true;
    wrong = (text) => seen.add(text);
    await part.run(call, wrong, peer);
    await pause(0);
  }
  return fits ? [...seen] : undefined;
}

/** @returns {Promise<Verdict>} */
async function verdict() {
  prepareWorld();
  const { peer } = await load();
  const seen = await check(peer);
  if (!seen) return { verdict: 'none', seen: [] };
  if (seen.length === 0) return { verdict: 'right', seen };
  const { note, ...changes } = peer.asked?.[claimName] ?? {};
  if (!note || (await check({ ...peer, ...changes }))?.length !== 0) return { verdict: 'wrong', seen };
  return { verdict: 'asked', seen, note };
}

process.stdout.write(JSON.stringify(await verdict()), () => process.exit());
