// Loads ONNX Runtime and proves that the configured execution provider starts, or says what to install.
import type { FloatType } from '#kernels/graph/dtypes.js';
import { encodeModel } from '#kernels/graph/encode-model.js';
import { Graph } from '#kernels/graph/graph.js';
import type { Provider, WorkerSettings } from './protocol.js';
import { createSessionOptions } from './step-session.js';

type Ort = typeof import('onnxruntime-node');

/** The provider cannot start here. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';

  constructor(
    message: string,
    readonly advice: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const ADVICE: Readonly<Record<Provider, string>> = {
  cpu: 'Install the npm package onnxruntime-node (`npm ci --ignore-scripts`).',
  webgpu:
    'It needs a GPU with a Vulkan, Metal or Direct3D 12 driver. Without a GPU, install SwiftShader (Debian: `apt-get install chromium`) and start the hub with ' +
    'VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json and XDG_RUNTIME_DIR=/tmp, or set BRAID_PROVIDER=cpu.',
  cuda:
    'It needs an NVIDIA driver, CUDA 12 with cuDNN 9, and the provider library: `node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12`. ' +
    'Or set BRAID_PROVIDER=cpu.',
};

/**
 * ONNX Runtime, after a one-node model ran on the provider.
 * @throws ProviderError
 */
export async function openProvider({
  provider,
  precision,
  threads,
}: Pick<WorkerSettings, 'provider' | 'precision' | 'threads'>): Promise<Ort> {
  let ort: Ort;
  try {
    ort = await import('onnxruntime-node');
  } catch (error) {
    throw new ProviderError('onnxruntime-node cannot be loaded', ADVICE[provider], { cause: error });
  }
  // The CPU provider is part of the library: there is nothing left to prove.
  if (provider === 'cpu') return ort;
  try {
    const session = await ort.InferenceSession.create(createProbeModel(precision === 'float16' ? 'float16' : 'float32'), {
      ...createSessionOptions({ provider, threads }),
      executionProviders: [provider],
    });
    await session.run({ x: new ort.Tensor('float32', Float32Array.of(1), [1]) });
    await session.release();
  } catch (error) {
    const advice =
      precision === 'float16' ? `${ADVICE[provider]} A device without halves needs BRAID_PRECISION=float32.` : ADVICE[provider];
    throw new ProviderError(describeCause(error), advice, { cause: error });
  }
  return ort;
}

/** ONNX Runtime's words without its own source places: `/onnxruntime_src/….cc:136 function condition was false. ` comes before them. */
function describeCause(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
  return text.replace(/^\/onnxruntime_src\/.* was false\. /, '').replace(/\.$/, '');
}

/** y = x + x, in the precision that answers are to have: not every WebGPU device has halves. */
function createProbeModel(precision: FloatType): Uint8Array {
  const graph = Graph.create('probe');
  const x = graph.input('x', 'float32', [1]);
  const inner = graph.toFloat(x, precision, 'inner');
  return encodeModel(graph.build([graph.toFloat(graph.add(inner, inner, 'sum'), 'float32', 'y')]));
}
