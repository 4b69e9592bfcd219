/** The seed of property tests: HOLDFAST_SEED, or the same one every day. What fast-check prints after a failure, `seed` and `path`, is for both kinds. */
import process from 'node:process';

const given = process.env['HOLDFAST_SEED'] ?? '1';

/** fast-check wants a whole number: a text, such as the hash of a commit, is turned into one. */
export const seed = /^-?\d+$/.test(given)
  ? Number(given)
  : Array.from(given).reduce((sum, it) => (sum * 31 + it.charCodeAt(0)) | 0, 7);
