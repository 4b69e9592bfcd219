/** Writes the files of `saved/` that are missing. One that is there is what a released version has saved: it is never written again. */
import { existsSync, writeFileSync } from 'node:fs';
import { virtualTime } from '../../src/testing/index.ts';
import { SAVED } from './saved.ts';

for (const { file, make } of SAVED) {
  const path = new URL(`saved/${file}.json`, import.meta.url);
  if (make === undefined || existsSync(path)) continue;
  const text = await virtualTime(async (time) => JSON.stringify(await make(time), null, 2));
  writeFileSync(path, `${text}\n`);
  console.log(`test/cells/saved/${file}.json`);
}
