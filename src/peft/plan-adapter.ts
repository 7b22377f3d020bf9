// Brings an adapter's configuration and its file's header together on a base: which tensor is A or B of which module, at which rank and scale.
// Nothing is read or allocated here; every name and shape is accounted for, in both directions.
import { type LinearModule } from '#kernels/lora/modules.js';
import { type SafetensorsTensor } from '#src/safetensors/read-header.js';
import { fail as failSafetensors } from '#src/safetensors/safetensors.errors.js';
import { FLOAT_DTYPES, isFloatDType, type FloatDType } from '#src/safetensors/to-float32.js';
import { type AdapterConfig } from './adapter-config.js';
import { findPatternValues, findTargetModules } from './match-modules.js';
import { fail } from './peft.errors.js';

/** A tensor of the file, by name and place. */
export interface PlannedTensor extends SafetensorsTensor {
  readonly name: string;
  readonly dtype: FloatDType;
}

/** One module that the adapter changes. */
export interface PlannedModule {
  readonly module: LinearModule;
  readonly rank: number;
  /** s = alpha/r, or alpha/√r for rsLoRA. */
  readonly scale: number;
  /** [rank, dIn] */
  readonly a: PlannedTensor;
  /** [dOut, rank] */
  readonly b: PlannedTensor;
}

// As save_pretrained names them: the wrapped model, the module's own path, the factor; the adapter's own name is left out.
const FACTOR_NAME = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;
const NAMES_SHOWN = 3;

/**
 * @param modules every linear module of the base
 * @param file the tensors' file, for messages
 * @returns the modules that the adapter changes, in the base's order, at least one
 * @throws BraidError of peft.errors.ts, or SAFETENSORS_DTYPE_UNSUPPORTED
 */
export function planAdapter(
  config: AdapterConfig,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  modules: readonly LinearModule[],
  file: string,
): readonly PlannedModule[] {
  const factors = collectFactors(tensors, modules, file);
  if (factors.size === 0) throw fail('ADAPTER_EMPTY', { file });
  const targets = findTargetModules(config, modules);
  assertComplete(factors, targets, file);

  const ranks = findPatternValues(config.rankPattern, targets, 'rank_pattern');
  const alphas = findPatternValues(config.alphaPattern, targets, 'alpha_pattern');
  return targets.map((module, i) => {
    const rank = ranks[i] ?? config.rank;
    const alpha = alphas[i] ?? config.alpha;
    const { a, b } = factors.get(module.path) ?? {};
    if (a === undefined || b === undefined) throw new Error(`factors of ${module.path} are gone`);
    assertShape(a, [rank, module.dIn], file);
    assertShape(b, [module.dOut, rank], file);
    return { module, rank, scale: alpha / (config.useRslora ? Math.sqrt(rank) : rank), a, b };
  });
}

interface Factors {
  a?: PlannedTensor;
  b?: PlannedTensor;
}

/** Sorts every tensor of the file under its module. @throws BraidError ADAPTER_TENSOR_UNKNOWN for one that has none */
function collectFactors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  modules: readonly LinearModule[],
  file: string,
): Map<string, Factors> {
  const paths = new Set(modules.map(({ path }) => path));
  const collected = new Map<string, Factors>();
  for (const [name, tensor] of tensors) {
    const [, path, factor] = FACTOR_NAME.exec(name) ?? [];
    if (path === undefined) throw fail('ADAPTER_TENSOR_UNKNOWN', { file, tensor: shown(name), reason: reasonAgainst(name) });
    if (!paths.has(path)) throw fail('ADAPTER_TENSOR_UNKNOWN', { file, tensor: shown(name), reason: describeMissingModule(path, modules) });
    const { dtype } = tensor;
    if (!isFloatDType(dtype)) {
      throw failSafetensors('SAFETENSORS_DTYPE_UNSUPPORTED', { file, tensor: shown(name), found: dtype, allowed: FLOAT_DTYPES });
    }
    const factors = collected.get(path) ?? {};
    factors[factor === 'A' ? 'a' : 'b'] = { ...tensor, dtype, name };
    collected.set(path, factors);
  }
  return collected;
}

/** Targets and tensors must name the same modules: PEFT drops what only one of them names, with a warning that few read. */
function assertComplete(factors: ReadonlyMap<string, Factors>, targets: readonly LinearModule[], file: string): void {
  const targeted = new Set(targets.map(({ path }) => path));
  for (const [path, { a, b }] of factors) {
    if (targeted.has(path)) continue;
    throw fail('ADAPTER_TENSOR_UNKNOWN', {
      file,
      tensor: shown((a ?? b)?.name ?? path),
      reason: 'adapter_config.json does not target its module',
    });
  }
  const missing = targets.flatMap(({ path }) => {
    const { a, b } = factors.get(path) ?? {};
    return [...(a === undefined ? ['A'] : []), ...(b === undefined ? ['B'] : [])].map(
      (factor) => `base_model.model.${path}.lora_${factor}.weight`,
    );
  });
  if (missing.length > 0) throw fail('ADAPTER_TENSOR_MISSING', { file, missing: missing.length, tensors: missing.slice(0, NAMES_SHOWN) });
}

function assertShape(tensor: PlannedTensor, needed: readonly number[], file: string): void {
  if (tensor.shape.length === needed.length && tensor.shape.every((size, axis) => size === needed[axis])) return;
  throw fail('ADAPTER_SHAPE_MISMATCH', { file, tensor: shown(tensor.name), found: tensor.shape.join(', '), needed: needed.join(', ') });
}

function reasonAgainst(name: string): string {
  if (/\.(?:base_layer\.|lora_embedding_[AB]$)/.test(name)) return 'embeddings and the output layer cannot be adapted here';
  if (/\.lora_magnitude_vector/.test(name)) return 'it belongs to DoRA';
  if (name.endsWith('.bias')) return 'biases cannot be adapted here';
  return 'names of factors are base_model.model.MODULE.lora_A.weight and .lora_B.weight';
}

function describeMissingModule(path: string, modules: readonly LinearModule[]): string {
  const layers = 1 + Math.max(-1, ...modules.map(({ layer }) => layer));
  const layer = /\.layers\.(\d+)\./.exec(path)?.[1];
  if (layer !== undefined && Number(layer) >= layers) return `it is of layer ${layer}, and the base has ${layers} layers, counted from 0`;
  const classes = [...new Set(modules.map((module) => module.class))];
  return `${shown(path)} is none of the base's linear modules that can be adapted (${classes.join(', ')})`;
}

function shown(name: string): string {
  return JSON.stringify(name.length > 160 ? `${name.slice(0, 157)}...` : name);
}
