// The public surface as text: one reviewed file per subpath in docs/surface/, every exported name with its signature.
// `npm run surface` accepts what the sources export now; with --check nothing is written and a difference is a failure.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { at, cacheFolder, readJson, run } from './lib/project.mjs';
import { Failure, command } from './lib/say.mjs';

await command(async () => {
  const check = process.argv.includes('--check');
  const fresh = join(cacheFolder, `surface-${process.pid}`);
  try {
    /** @type {string[]} */
    const changed = [];
    for (const [name, declarations] of Object.entries(entryPoints())) {
      const report = extract(name, declarations, fresh);
      const reviewed = at('docs', 'surface', basename(report));
      if (existsSync(reviewed) && readFileSync(reviewed, 'utf8') === readFileSync(report, 'utf8')) continue;
      changed.push(await difference(reviewed, report));
      if (check) continue;
      mkdirSync(at('docs', 'surface'), { recursive: true });
      writeFileSync(reviewed, readFileSync(report));
    }
    if (check && changed.length > 0) {
      throw new Failure('the public surface is not the one that was reviewed', {
        why: changed.join('\n'),
        todo: 'If the change is meant, accept it with `npm run surface` and commit docs/surface/ with it.',
      });
    }
    process.stdout.write(changed.length === 0 ? 'docs/surface/ is up to date\n' : `${changed.join('\n')}\naccepted\n`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
});

/** @returns {Record<string, string>} declarations by the name of the report */
function entryPoints() {
  return Object.fromEntries(
    Object.entries(readJson(at('package.json')).exports)
      .filter(([, target]) => typeof target === 'object')
      .map(([subpath, target]) => [
        subpath === '.' ? 'index' : subpath.slice(2).replaceAll('/', '-'),
        at(target.types),
      ]),
  );
}

/**
 * @param {string} name
 * @param {string} declarations
 * @param {string} folder
 * @returns {string} the report's file
 */
function extract(name, declarations, folder) {
  mkdirSync(folder, { recursive: true });
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: at('package.json'),
    configObject: {
      projectFolder: at(),
      mainEntryPointFilePath: declarations,
      // api-extractor has its own compiler (TypeScript 6), which must not meet the settings of ours.
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2024',
            lib: ['es2024', 'esnext.disposable', 'esnext.error'],
            types: ['node'],
            module: 'nodenext',
            strict: true,
            exactOptionalPropertyTypes: true,
            skipLibCheck: true,
          },
          files: [declarations],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: folder,
        reportTempFolder: join(folder, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        // What an exported signature names and nobody can import belongs into the review; release tags and TSDoc's
        // stricter syntax are not used here.
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.None },
          'ae-forgotten-export': { logLevel: ExtractorLogLevel.None, addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
  /** @type {string[]} */
  const errors = [];
  Extractor.invoke(config, {
    localBuild: true,
    showVerboseMessages: false,
    messageCallback: (message) => {
      if (message.logLevel === ExtractorLogLevel.Error) errors.push(`${message.sourceFilePath ?? ''}: ${message.text}`);
      message.handled = true;
    },
  });
  if (errors.length > 0) throw new Failure(`the surface of '${name}' cannot be read`, { why: errors.join('\n') });
  return join(folder, `${name}.api.md`);
}

/**
 * @param {string} reviewed
 * @param {string} report
 */
async function difference(reviewed, report) {
  if (!existsSync(reviewed)) return `docs/surface/${basename(report)} is new`;
  const { output } = await run('git', ['diff', '--no-index', '--unified=1', '--', reviewed, report]);
  const body = output.split('\n').filter((line) => /^[-+@]/.test(line) && !/^(\+\+\+|---)/.test(line));
  return [`docs/surface/${basename(report)}:`, ...body].join('\n');
}
