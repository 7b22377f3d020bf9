// Does without a container engine what the image does when it runs: production dependencies alone, the Dockerfile's own settings, health check
// and entry point, an ordinary user, and a stop by SIGTERM. Needs a built dist/. Prints one line, or says what failed with status 1.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
/* global fetch */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const USER = 1000;
const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 20_000;

/** The instructions of the last stage, continuation lines joined. */
function readLastStage() {
  const lines = readFileSync(join(root, 'docker', 'Dockerfile'), 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n');
  const stage = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const rest = (instruction) => stage.find((line) => line.startsWith(`${instruction} `))?.slice(instruction.length + 1) ?? '';
  const list = (text) => JSON.parse(text.slice(text.indexOf('[')));
  return {
    env: Object.fromEntries(
      rest('ENV')
        .split(' ')
        .map((pair) => pair.split('=')),
    ),
    health: list(rest('HEALTHCHECK')),
    command: [...list(rest('ENTRYPOINT')), ...list(rest('CMD'))],
    user: rest('USER'),
  };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The image's files; of node_modules only what package.json names for production, so that nothing else can be imported unseen. */
function assembleImage(image) {
  for (const path of ['package.json', 'bin', 'dist/src', 'dist/kernels', 'dist/migrations']) {
    cpSync(join(root, path), join(image, path), { recursive: true });
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    const link = join(image, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(join(root, 'node_modules', name)), link);
  }
}

/** Whether an ordinary user may read the repository: not where it lies in a home that is closed to others. */
function isReadableByUser() {
  const file = join(root, 'node_modules', 'commander', 'package.json');
  return spawnSync('test', ['-r', realpathSync(file)], { uid: USER, gid: USER }).status === 0;
}

async function run(folder) {
  const stage = readLastStage();
  if (stage.user !== `${USER}:${USER}`) throw new Error(`the Dockerfile runs as ${stage.user}, not as ${USER}:${USER}`);
  const image = join(folder, 'app');
  assembleImage(image);
  const data = join(folder, 'data');
  mkdirSync(data);
  const asUser = process.getuid?.() === 0 && isReadableByUser() ? { uid: USER, gid: USER } : {};
  if (asUser.uid !== undefined) chownSync(data, USER, USER);
  const env = { PATH: process.env.PATH, ...stage.env, BRAID_DATA: data, BRAID_HOST: '127.0.0.1', BRAID_PORT: String(await freePort()) };
  const options = { cwd: image, env, ...asUser };

  const [program, ...args] = stage.command;
  const hub = spawn(program === 'node' ? process.execPath : program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [hub.stdout, hub.stderr]) stream.on('data', (text) => (output += text));
  const ended = new Promise((resolve) => hub.once('close', (status, signal) => resolve(status ?? signal)));
  try {
    const healthy = () => spawnSync(process.execPath, stage.health.slice(1), options).status === 0;
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!healthy()) {
      if (hub.exitCode !== null || Date.now() > deadline) throw new Error(`the hub did not become healthy:\n${output}`);
      await sleep(500);
    }
    const ready = await fetch(`http://127.0.0.1:${env.BRAID_PORT}/readyz`);
    if (!ready.ok) throw new Error(`/readyz answers ${ready.status}: ${await ready.text()}`);
    hub.kill('SIGTERM');
    const status = await Promise.race([ended, sleep(STOPPED_WITHIN_MS, 'no end in time', { ref: false })]);
    if (status !== 0) throw new Error(`SIGTERM ended the hub with ${status}:\n${output}`);
    if (healthy()) throw new Error('the health check passes without a hub');
  } finally {
    hub.kill('SIGKILL');
  }
}

const folder = mkdtempSync(join(tmpdir(), 'braid-image-'));
chmodSync(folder, 0o755);
try {
  await run(folder);
  console.log('image: runs on its production dependencies as an ordinary user, is healthy, and stops on SIGTERM');
} catch (error) {
  console.error(`docker/try-image.js: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
