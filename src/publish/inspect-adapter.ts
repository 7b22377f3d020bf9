// Reads an uploaded adapter module by module and says what it is; memory holds one module at a time, and requests are served in between.
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { type LinearClass, type LinearModule } from '#kernels/lora/modules.js';
import { type Digest } from '#src/ids/ids.js';
import { type AdapterConfig } from '#src/peft/adapter-config.js';
import { AdapterDigest } from '#src/peft/adapter-digest.js';
import { deltaNormInTurns } from '#src/peft/delta-norm.js';
import { fail as failPeft } from '#src/peft/peft.errors.js';
import { planAdapter } from '#src/peft/plan-adapter.js';
import { type PlannedModule, type PlannedTensor } from '#src/peft/planned-module.js';
import { readTensors, reduceModule } from '#src/peft/read-adapter.js';
import { type BaseModelFiles } from '#src/runtime/sources.js';
import { ADAPTER_LIMITS, readSafetensorsFileHeader, readTensorBytes } from '#src/safetensors/read-header.js';
import { assertSavedBase } from './assert-saved-base.js';
import { measureGain } from './measure-gain.js';
import { fail } from './publish.errors.js';

export interface AdapterFacts {
  /** Of what the adapter computes. */
  readonly digest: Digest;
  /** Of the modules of which something is left. */
  readonly plan: readonly PlannedModule[];
  /** g − 1 [dOut] of the base's own rows, by path of the module, where the variant changes them. */
  readonly gains: ReadonlyMap<string, Float32Array>;
  /** The largest of its modules' ranks. */
  readonly rank: number;
  /** Classes of the modules that it changes, sorted. */
  readonly targetModules: readonly LinearClass[];
  /** Numbers in all of its tensors. */
  readonly parameterCount: number;
  readonly delta: DeltaFacts;
}

/** How much the adapter changes the weights, in the Frobenius norm. */
export interface DeltaFacts {
  /** √Σ‖ΔW‖² over all modules. */
  readonly norm: number;
  readonly largestNorm: number;
  /** Path of the module with the largest ‖ΔW‖. */
  readonly largestModule: string;
  readonly modules: number;
  /** Modules whose ΔW is exactly zero. */
  readonly zeroModules: number;
}

const FILE = 'adapter_model.safetensors';
/**
 * Root mean square of a module's ΔW. Weights of language models are some hundredths, updates smaller still; far beyond, norms overflow inside the
 * model, which then computes finite nonsense, so that no check on the model would notice.
 */
const MAX_DELTA_RMS = 1000;

/**
 * @param path of the uploaded adapter_model.safetensors
 * @param modules every linear module of the base
 * @param loadBase the base's files; called only when the adapter holds copies of its weights or depends on them
 * @throws BraidError of safetensors.errors.ts or peft.errors.ts, ADAPTER_NO_EFFECT among them
 */
export async function inspectAdapter(
  path: string,
  config: AdapterConfig,
  modules: readonly LinearModule[],
  loadBase: () => Promise<BaseModelFiles>,
): Promise<AdapterFacts> {
  const handle = await open(path, 'r');
  try {
    const { tensors } = await readSafetensorsFileHeader(handle, ADAPTER_LIMITS, FILE);
    const plan = planAdapter(config, tensors, modules, FILE);
    const digest = new AdapterDigest();
    const changed: ChangedModule[] = [];
    for (const planned of plan) {
      const bytes = new Map<PlannedTensor, Uint8Array>();
      for (const tensor of Object.values(planned.tensors)) bytes.set(tensor, await readTensorBytes(handle, tensor, FILE));
      const values = readTensors(planned, (tensor) => bytes.get(tensor) ?? new Uint8Array(), FILE);
      const gain = await measureGain(planned, values, FILE, loadBase);
      const factors = reduceModule(planned, values, gain?.gain);
      // Of a module that was pruned whole nothing is left to keep.
      if (factors === undefined) continue;
      digest.update(factors);
      changed.push({ planned, rank: factors.rank, gain: factors.gain, norm: gain?.deltaNorm ?? (await deltaNormInTurns(factors)) });
      if (planned.savedBase !== undefined) await assertSavedBase(planned, handle, FILE, await loadBase());
      await setImmediate();
    }
    if (changed.length === 0) throw failPeft('ADAPTER_NO_EFFECT', { reason: `all directions of its ${plan.length} modules are pruned` });
    return {
      digest: digest.finish(),
      plan: changed.map(({ planned }) => planned),
      gains: new Map(changed.flatMap(({ planned, gain }) => (gain === undefined ? [] : [[planned.module.path, gain] as const]))),
      ...describeRanks(changed),
      delta: describeDelta(changed),
    };
  } finally {
    await handle.close();
  }
}

/** A module of which something is left. */
interface ChangedModule {
  readonly planned: PlannedModule;
  readonly rank: number;
  readonly gain: Float32Array | undefined;
  /** ‖ΔW‖ */
  readonly norm: number;
}

function describeRanks(changed: readonly ChangedModule[]): Pick<AdapterFacts, 'rank' | 'targetModules' | 'parameterCount'> {
  const tensors = new Map(changed.flatMap(({ planned }) => Object.values(planned.tensors).map((tensor) => [tensor.name, tensor.shape])));
  return {
    rank: Math.max(...changed.map(({ rank }) => rank)),
    targetModules: [...new Set(changed.map(({ planned }) => planned.module.class))].sort(),
    parameterCount: [...tensors.values()].reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0),
  };
}

function describeDelta(changed: readonly ChangedModule[]): DeltaFacts {
  for (const {
    norm,
    planned: { module },
  } of changed) {
    const rms = norm / Math.sqrt(module.dIn * module.dOut);
    // Written so that NaN fails.
    if (rms <= MAX_DELTA_RMS) continue;
    throw fail('ADAPTER_OVERFLOWS', {
      reason: `it changes the weights of ${module.path} by ${rms.toPrecision(3)} on average, at most ${MAX_DELTA_RMS} is accepted`,
    });
  }
  const norms = changed.map(({ norm }) => norm);
  const largestNorm = Math.max(...norms);
  if (largestNorm === 0) throw failPeft('ADAPTER_NO_EFFECT', { reason: `its update is zero in all ${changed.length} of its modules` });
  return {
    norm: Math.hypot(...norms),
    largestNorm,
    largestModule: changed[norms.indexOf(largestNorm)]?.planned.module.path ?? '',
    modules: changed.length,
    zeroModules: norms.filter((norm) => norm === 0).length,
  };
}
