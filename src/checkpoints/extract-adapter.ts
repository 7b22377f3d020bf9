// A fully trained or merged checkpoint minus its base, cut to a LoRA: of every linear module the nearest update of low rank.
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { CanonicalAdapter, CanonicalModule } from '#kernels/lora/canonical-adapter.js';
import type { LinearModule } from '#kernels/lora/modules.js';
import { listLinearModules } from '#kernels/models/models.js';
import type { LoadedBaseModel } from '#src/base-models/load-base-model-files.js';
import { factorsOfSvd } from '#src/linear-algebra/factors-of-svd.js';
import { randomizedSvd, type RankTarget, type TruncatedSvd } from '#src/linear-algebra/randomized-svd.js';
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { fail } from './checkpoints.errors.js';
import { listOtherChanges, type OtherChange, readUpdate } from './read-update.js';

export interface ExtractRequest {
  readonly base: LoadedBaseModel;
  readonly checkpoint: LoadedBaseModel;
  /** Of each module. */
  readonly target: RankTarget;
  /** Tensors that no LoRA reaches may differ, and are left behind. */
  readonly ignoresOthers: boolean;
  readonly seed: number;
  readonly onProgress?: (doneModules: number, modules: number) => void;
}

export interface ExtractedModule {
  readonly path: string;
  readonly rank: number;
  /** ‖ΔW'‖²/‖ΔW‖² of what is kept. */
  readonly keptEnergy: number;
  /** ‖ΔW‖ of the checkpoint. */
  readonly norm: number;
  /** ‖ΔW‖/‖W₀‖ */
  readonly relativeNorm: number;
}

export interface Extraction {
  readonly adapter: CanonicalAdapter;
  readonly modules: readonly ExtractedModule[];
  /** Over all modules together. */
  readonly keptEnergy: number;
  /** What is lost besides. */
  readonly others: readonly OtherChange[];
}

const NAMES_SHOWN = 5;

/** @throws BraidError of checkpoints.errors.ts; SAFETENSORS_TRUNCATED */
export async function extractAdapter(request: ExtractRequest): Promise<Extraction> {
  const { base, checkpoint, ignoresOthers, seed, onProgress } = request;
  assertSameConfig(base, checkpoint);
  const modules = listLinearModules(base.config);
  const others = await listOtherChanges(modules, base, checkpoint);
  if (others.length > 0 && !ignoresOthers) throw describeOthers(others);
  const random = SeededRandom.fromSeed(seed);
  const kept: CanonicalModule[] = [];
  const extracted: ExtractedModule[] = [];
  let ofEmbedding: DecomposedUpdate | undefined;
  for (const [i, module] of modules.entries()) {
    onProgress?.(i, modules.length);
    await setImmediate();
    // A tied output layer is the embedding: what changed there is changed here.
    const isTied = module.class === 'lm_head' && base.config.hasTiedEmbeddings;
    const own = isTied && ofEmbedding !== undefined ? ofEmbedding : await decomposeUpdate(module, request, random);
    if (module.class === 'embed_tokens') ofEmbedding = own;
    const { svd, baseEnergy } = own;
    if (svd.size === 0) continue;
    kept.push(factorsOf(module, svd, module.class === 'embed_tokens'));
    const { keptEnergy, totalEnergy } = svd;
    const relativeNorm = baseEnergy === 0 ? 0 : Math.sqrt(totalEnergy / baseEnergy);
    extracted.push({ path: module.path, rank: svd.size, keptEnergy, norm: Math.sqrt(totalEnergy), relativeNorm });
  }
  onProgress?.(modules.length, modules.length);
  if (kept.length === 0) throw fail('CHECKPOINT_UNCHANGED');
  const total = extracted.reduce((sum, { norm }) => sum + norm ** 2, 0);
  const keptEnergy = extracted.reduce((sum, module) => sum + module.keptEnergy * module.norm ** 2, 0) / total;
  return { adapter: { modules: kept }, modules: extracted, keptEnergy, others };
}

interface DecomposedUpdate {
  readonly svd: TruncatedSvd;
  /** ‖W₀‖² */
  readonly baseEnergy: number;
}

async function decomposeUpdate(
  module: LinearModule,
  { base, checkpoint, target }: ExtractRequest,
  random: SeededRandom,
): Promise<DecomposedUpdate> {
  const { matrix, baseEnergy } = await readUpdate(module, base, checkpoint);
  return { svd: randomizedSvd(matrix, target, () => random.gaussian()), baseEnergy };
}

/** @param isTurned the decomposed matrix is ΔWᵀ */
function factorsOf({ layer, class: linearClass }: LinearModule, svd: TruncatedSvd, isTurned: boolean): CanonicalModule {
  const sides = isTurned ? { ...svd, left: svd.right, right: svd.left } : svd;
  return { layer, class: linearClass, rank: svd.size, scale: 1, ...factorsOfSvd(sides) };
}

function assertSameConfig({ config: before }: LoadedBaseModel, { config: after }: LoadedBaseModel): void {
  if (isDeepStrictEqual(before, after)) return;
  const now = new Map<string, unknown>(Object.entries(after));
  const differing = Object.entries(before).filter(([field, value]) => !isDeepStrictEqual(value, now.get(field)));
  throw fail('CHECKPOINT_CONFIG_DIFFERS', {
    reason: differing
      .map(([field, value]) => `${field} is ${shown(value)} in the base and ${shown(now.get(field))} in the checkpoint`)
      .join(', '),
  });
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? 'absent';
}

function describeOthers(others: readonly OtherChange[]): Error {
  const names = [...others]
    .sort((a, b) => b.relativeChange - a.relativeChange)
    .slice(0, NAMES_SHOWN)
    .map(({ tensor, relativeChange }) => `${tensor} (by ${(100 * relativeChange).toPrecision(2)} %)`);
  return fail('CHECKPOINT_OTHERS_DIFFER', {
    count: others.length,
    tensors: [...names, ...(others.length > NAMES_SHOWN ? [`and ${others.length - NAMES_SHOWN} more`] : [])],
  });
}
