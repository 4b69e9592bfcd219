// Makes dist/: one file per entry point with shared chunks (two copies of the core would have two clocks), readable, with
// source maps; the declarations of src beside them. The entry points are those of package.json's "exports".
// docs/decisions/0002-toolchain.md says why rolldown makes the files and tsc the declarations.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { rolldown } from 'rolldown';
import { at, cacheFolder, readJson, runNode, tail } from './lib/project.mjs';
import { Failure, command } from './lib/say.mjs';

await command(async () => {
  const [builtFrom = ''] = process.argv.slice(2);
  const fresh = join(cacheFolder, `dist-${process.pid}`);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  try {
    // Both are waited for, also when one fails: what still writes would leave its folder behind.
    const [bundled, declared] = await Promise.allSettled([bundle(fresh), declare(fresh)]);
    if (bundled.status === 'rejected') throw bundled.reason;
    if (declared.status === 'rejected') throw declared.reason;
    const files = bundled.value;
    writeFileSync(join(fresh, '.built-from'), builtFrom);
    putInPlace(fresh);
    process.stdout.write(`dist/: ${files.join(', ')} and declarations\n`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
});

/** @returns {Record<string, string>} source file by name of the output file */
function entryPoints() {
  const targets = Object.values(readJson(at('package.json')).exports).filter((target) => typeof target === 'object');
  return Object.fromEntries(
    targets.map((target) => [
      basename(target.default, '.js'),
      at(target.types.replace('./dist/types/', 'src/').replace(/\.d\.ts$/, '.ts')),
    ]),
  );
}

/** @param {string} folder */
async function bundle(folder) {
  const entries = entryPoints();
  for (const [name, path] of Object.entries(entries)) {
    if (!existsSync(path))
      throw new Failure(`the entry point '${name}' has no source`, { why: `${path} is not there.` });
  }
  await using build = await rolldown({
    input: entries,
    platform: 'neutral',
    external: [/^node:/],
    tsconfig: at('tsconfig.json'),
    transform: { target: 'es2024' },
    onwarn: (warning) => {
      throw new Failure('the bundler warns', { why: warning.message });
    },
  });
  const { output } = await build.write({
    dir: folder,
    format: 'esm',
    sourcemap: true,
    // It is made one folder deeper than where it will stand.
    sourcemapPathTransform: (source) => source.replace('../', ''),
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    minifyInternalExports: false,
    // An eighth of what the import costs, and editors show those of the declarations. Tree shaking reads the annotations.
    comments: { annotation: true, jsdoc: false, legal: false },
  });
  return output.filter((file) => file.type === 'chunk').map((file) => file.fileName);
}

/** @param {string} folder */
async function declare(folder) {
  const types = join(folder, 'types');
  const tsc = at('node_modules', 'typescript', 'bin', 'tsc');
  // Types that are inferred instead of written down are found by `npm run check`; they do not keep anybody from a build.
  const flags = ['--outDir', types, '--isolatedDeclarations', 'false', '--pretty', 'false'];
  const ended = await runNode([tsc, '-p', at('tsconfig.build.json'), ...flags]);
  if (ended.code !== 0) throw new Failure('the declarations cannot be made', { why: tail(ended.output, 40) });
  for (const entry of readdirSync(types, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    // tsc leaves the sources' `.ts` endings in declarations; consumers with other settings resolve `.js` alone.
    writeFileSync(path, text.replace(/(\bfrom |\bimport\(|^import )(['"])(\.[^'"]*)\.ts\2/gm, '$1$2$3.js$2'));
  }
}

/**
 * Two renames: whoever imports dist/ sees the old one or the new one, never half of one.
 * @param {string} fresh
 */
function putInPlace(fresh) {
  const old = `${fresh}-old`;
  if (existsSync(at('dist'))) renameSync(at('dist'), old);
  renameSync(fresh, at('dist'));
  rmSync(old, { recursive: true, force: true });
}
