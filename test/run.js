// `npm test`: installs and builds what is missing, then runs the suites named (default: unit integration e2e).
//   npm test                     everything this machine can run
//   npm test -- unit             one suite; a path below dist/test runs that file
// The server half (PostgreSQL, S3) runs when BRAID_TEST_DATABASE_URL and BRAID_TEST_S3_ENDPOINT are set; .ci/services.sh provides both.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, root, runOrExit } from '../bin/ensure-built.js';

const named = process.argv.slice(2);
const suites = named.length > 0 ? named : ['unit', 'integration', 'e2e'];

/** Compiled test files below a folder, in a stable order. */
function testFiles(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const child = join(path, entry.name);
      if (entry.isDirectory()) return testFiles(child);
      return entry.name.endsWith('.test.js') ? [child] : [];
    });
}

if (process.env.BRAID_TEST_PREBUILT !== '1') ensureBuilt();

const files = suites.flatMap((suite) => {
  const path = existsSync(suite) ? suite : join(root, 'dist', 'test', suite);
  if (!existsSync(path)) {
    console.error(`No such suite: ${suite}. Allowed: unit, integration, e2e, or a path to a compiled test.`);
    process.exit(2);
  }
  return testFiles(path);
});
if (files.length === 0) {
  console.error(`No test found in: ${suites.join(', ')}`);
  process.exit(1);
}
const serverHalf = process.env.BRAID_TEST_DATABASE_URL && process.env.BRAID_TEST_S3_ENDPOINT;
if (!serverHalf && suites.includes('integration')) {
  console.error(
    'The server half (PostgreSQL and S3) is not run: set BRAID_TEST_DATABASE_URL and BRAID_TEST_S3_ENDPOINT, or start both with .ci/services.sh.',
  );
}
// Two files at a time: each integration test opens its own engine, which uses every core on its own. The real model alone fills the machine.
const concurrency = suites.includes('real') ? 1 : 2;
runOrExit(process.execPath, ['--enable-source-maps', '--test', `--test-concurrency=${concurrency}`, '--test-reporter=spec', ...files]);
