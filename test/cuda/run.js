// `npm run test:cuda`: whether this machine can compute on CUDA, then the golden decoders there and the speed table.
//   npm run test:cuda                what is missing is named, nothing is installed
//   npm run test:cuda -- --install   fetches ONNX Runtime's provider library where it is missing (from NuGet, some hundred MB, into node_modules)
// Plain JavaScript and no imports from node_modules, because it asks for the GPU before anything is installed or built.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, root, runOrExit } from '../../bin/ensure-built.js';

/** Weights of the bench's model twice over, its runs, and what CUDA and cuDNN keep for themselves. */
const NEEDED_MIB = 4096;
const INSTALL = ['node_modules/onnxruntime-node/script/install.js', '--onnxruntime-node-install=cuda12'];
const NEEDS = `npm run test:cuda needs Linux on x64, an NVIDIA driver whose nvidia-smi answers, ${NEEDED_MIB} MiB of free GPU memory, CUDA 12 with cuDNN 9,
and ONNX Runtime's provider library: node ${INSTALL.join(' ')}`;

const refuse = (found) => {
  console.error(`${found}\n\n${NEEDS}`);
  process.exit(1);
};

if (process.platform !== 'linux' || process.arch !== 'x64') refuse(`This machine is ${process.platform} on ${process.arch}.`);
console.error(`${findGpu()}.`);
installLibrary(process.argv.includes('--install'));
if (process.env.BRAID_TEST_PREBUILT !== '1') ensureBuilt();
// Else matrix products in float32 are rounded to TensorFloat-32, 10 bits behind the point, and agree with nobody's float32.
process.env.NVIDIA_TF32_OVERRIDE = '0';
const dist = join(root, 'dist');
runOrExit(process.execPath, [
  '--enable-source-maps',
  '--test',
  '--test-force-exit',
  '--test-reporter=spec',
  join(dist, 'test', 'cuda', 'golden-cuda.test.js'),
]);
runOrExit(process.execPath, ['--enable-source-maps', join(dist, 'bench', 'providers.js'), '--provider', 'cuda']);

/** The first GPU, in words; the process ends where there is none with enough free memory. */
function findGpu() {
  const query = ['--query-gpu=name,driver_version,memory.free', '--format=csv,noheader,nounits'];
  const { error, status, stdout, stderr } = spawnSync('nvidia-smi', query, { encoding: 'utf8', timeout: 30_000 });
  if (error) refuse(`There is no NVIDIA driver here: nvidia-smi cannot be run (${error.message}).`);
  if (status !== 0) refuse(`nvidia-smi finds no GPU: ${(stderr || stdout).trim()}`);
  // CUDA's device 0, which ONNX Runtime takes.
  const [name, driver, free] = (stdout.split('\n')[0] ?? '').split(',').map((part) => part.trim());
  if (!(Number(free) >= NEEDED_MIB)) refuse(`${name} has ${free} MiB of free memory.`);
  return `${name}, driver ${driver}, ${free} MiB free`;
}

function installLibrary(isAllowed) {
  const script = join(root, INSTALL[0]);
  const isInstalled = () => existsSync(join(root, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so'));
  if (isInstalled()) return;
  if (!isAllowed)
    refuse('The provider library is not installed; run the command below, or add --install (npm run test:cuda -- --install).');
  if (!existsSync(script)) ensureBuilt();
  runOrExit(process.execPath, [script, ...INSTALL.slice(1)]);
  if (!isInstalled()) refuse('The provider library did not come with its installation.');
}
