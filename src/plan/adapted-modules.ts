// Which modules an adapter of a given rank would change, and the tensors that PEFT would make and save for them.
import { isVocabularyClass, type LinearModule } from '#kernels/lora/modules.js';
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { listDecoderModules } from '#kernels/models/linear-modules.js';
import { findTargetModules } from '#src/peft/match-modules.js';
import { weightShape, type ParameterTensor } from './count-parameters.js';
import { fail } from './plan.errors.js';

/** A linear module with the rank of the pair A [rank, dIn], B [dOut, rank] beside it. */
export interface AdaptedModule {
  readonly module: LinearModule;
  readonly rank: number;
}

/** PEFT's word for every linear layer but the output layer. */
export const ALL_LINEAR = 'all-linear';

/**
 * The modules that PEFT would adapt, in the model's order.
 * @param targets names as in PEFT's target_modules: whole paths or their last segments, or `all-linear` alone
 * @throws BraidError PLAN_TARGETS_UNMATCHED, PLAN_RANK_TOO_HIGH
 */
export function chooseAdaptedModules(config: DecoderConfig, targets: readonly string[], rank: number): AdaptedModule[] {
  const modules = listDecoderModules(config);
  const find = (names: string | readonly string[]): readonly LinearModule[] =>
    findTargetModules({ targets: names, excluded: [], layers: undefined, layersPatterns: [] }, modules);
  for (const name of targets) {
    if (name !== ALL_LINEAR && find([name]).length === 0)
      throw fail('PLAN_TARGETS_UNMATCHED', { found: shown(name), allowed: [...new Set(modules.map((module) => module.class))] });
  }
  const named = new Set(find(targets));
  const chosen = targets.includes(ALL_LINEAR) ? new Set([...find(ALL_LINEAR), ...named]) : named;
  const adapted = modules.filter((module) => chosen.has(module));
  for (const { path, class: target, dIn, dOut } of adapted) {
    const limit = Math.min(dIn, dOut);
    if (rank > limit) throw fail('PLAN_RANK_TOO_HIGH', { found: rank, path, dOut, dIn, limit, target });
  }
  return adapted.map((module) => ({ module, rank }));
}

/** Numbers in one pair of factors: rank · (dIn + dOut). */
export function countPair({ module: { dIn, dOut }, rank }: AdaptedModule): number {
  return rank * (dIn + dOut);
}

/** The factors, which are all that LoRA trains (Hu et al. 2021, arXiv:2106.09685, section 4.1). */
export function listFactorTensors(adapted: readonly AdaptedModule[]): ParameterTensor[] {
  return adapted.flatMap(({ module: { path, class: target, dIn, dOut }, rank }) => {
    const [a, b] = target === 'embed_tokens' ? ['lora_embedding_A', 'lora_embedding_B'] : ['lora_A.weight', 'lora_B.weight'];
    return [
      { name: `base_model.model.${path}.${a}`, shape: [rank, dIn] },
      { name: `base_model.model.${path}.${b}`, shape: [dOut, rank] },
    ];
  });
}

/** Weights of the base that save_pretrained writes beside the factors: those of an adapted embedding or output layer. */
export function listSavedBaseTensors(adapted: readonly AdaptedModule[]): ParameterTensor[] {
  return adapted.flatMap(({ module }) =>
    isVocabularyClass(module.class) ? [{ name: `base_model.model.${module.path}.base_layer.weight`, shape: weightShape(module) }] : [],
  );
}

function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}
