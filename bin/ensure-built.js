// Brings a clone to the state where dist/ is true to the sources: installs when the lock file is newer than node_modules, then builds.
// Plain JavaScript and no imports from node_modules, because it runs before either exists.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a command in the repository root with this terminal; ends the process with the command's status when it fails. */
export function runOrExit(command, args, stdio = 'inherit') {
  // ONNX Runtime reports to its makers unless told otherwise; the hub says so itself, tests and benches that open sessions do it here.
  const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' };
  const result = spawnSync(command, args, { cwd: root, stdio, env });
  if (result.error) {
    console.error(`${command}: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

// What is printed on the way to a result is no part of it: `npm run bench -- … --json > file`.
const BESIDE_THE_RESULT = ['inherit', 2, 2];

export function ensureBuilt() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) {
    refuseLink(join(root, 'node_modules'));
    console.error('Installing dependencies (npm ci) …');
    runOrExit('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], BESIDE_THE_RESULT);
  }
  console.error('Building …');
  runOrExit(process.execPath, [join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build'], BESIDE_THE_RESULT);
  removeOrphans(join(root, 'dist'));
}

/** npm ci empties node_modules before it installs, behind a link too. */
function refuseLink(folder) {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const target = existsSync(folder) ? realpathSync(folder) : 'a folder that is not there';
  console.error(
    `${folder} is a symbolic link to ${target}, and older than package-lock.json or incomplete. npm ci would empty the folder behind the link, ` +
      'which others may use. Run "npm ci" in the clone that the folder belongs to, or remove the link to install a folder of your own here.',
  );
  process.exit(1);
}

/** Removes compiled files whose source is gone, so that a deleted test does not run on. */
function removeOrphans(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) removeOrphans(path);
    else if (/\.js(\.map)?$/.test(entry.name)) {
      const source = join(root, relative(join(root, 'dist'), path)).replace(/\.js(\.map)?$/, '.ts');
      if (!existsSync(source)) rmSync(path);
    }
  }
}
