// Brings an adapter's configuration and its file's header together on a base: which tensor is A or B of which module, at which rank and scale.
// Nothing is read or allocated here; every name and shape is accounted for, in both directions.
import { isVocabularyClass, type LinearModule } from '#kernels/lora/modules.js';
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
  /** The base's own weight, which PEFT saves along with an adapted embedding or output layer: it must be the base's, and is no part of the adapter. */
  readonly savedBase?: PlannedTensor;
}

// As save_pretrained names them: the wrapped model, the module's own path, the factor; the adapter's own name is left out.
const TENSOR_NAME = /^base_model\.model\.(.+)\.(lora_[AB]\.weight|lora_embedding_[AB]|base_layer\.weight)$/;
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
    const { a, b, savedBase } = factors.get(module.path) ?? {};
    if (a === undefined || b === undefined) throw new Error(`factors of ${module.path} are gone`);
    assertShape(a, [rank, module.dIn], file);
    assertShape(b, [module.dOut, rank], file);
    const planned = { module, rank, scale: alpha / (config.useRslora ? Math.sqrt(rank) : rank), a, b };
    if (savedBase === undefined) return planned;
    assertShape(savedBase, isEmbedding(module) ? [module.dIn, module.dOut] : [module.dOut, module.dIn], file);
    return { ...planned, savedBase };
  });
}

const ROLES = ['a', 'b', 'savedBase'] as const;

function isEmbedding(module: LinearModule): boolean {
  return module.class === 'embed_tokens';
}

/** How the name of a module's tensor ends; undefined where the module has none in this role. */
function endingOf(module: LinearModule, role: (typeof ROLES)[number]): string | undefined {
  if (role === 'savedBase') return isVocabularyClass(module.class) ? 'base_layer.weight' : undefined;
  const factor = role.toUpperCase();
  return isEmbedding(module) ? `lora_embedding_${factor}` : `lora_${factor}.weight`;
}

interface Factors {
  a?: PlannedTensor;
  b?: PlannedTensor;
  savedBase?: PlannedTensor;
}

/** Sorts every tensor of the file under its module. @throws BraidError ADAPTER_TENSOR_UNKNOWN for one that has none */
function collectFactors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  modules: readonly LinearModule[],
  file: string,
): Map<string, Factors> {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const collected = new Map<string, Factors>();
  for (const [name, tensor] of tensors) {
    const unknown = (reason: string): Error => fail('ADAPTER_TENSOR_UNKNOWN', { file, tensor: shown(name), reason });
    const [, path, ending] = TENSOR_NAME.exec(name) ?? [];
    if (path === undefined || ending === undefined) throw unknown(reasonAgainst(name));
    const module = byPath.get(path);
    if (module === undefined) throw unknown(describeMissingModule(path, modules));
    const role = ROLES.find((candidate) => endingOf(module, candidate) === ending);
    if (role === undefined) throw unknown(reasonAgainst(name));
    const { dtype } = tensor;
    if (!isFloatDType(dtype)) {
      throw failSafetensors('SAFETENSORS_DTYPE_UNSUPPORTED', { file, tensor: shown(name), found: dtype, allowed: FLOAT_DTYPES });
    }
    const factors = collected.get(path) ?? {};
    factors[role] = { ...tensor, dtype, name };
    collected.set(path, factors);
  }
  return collected;
}

/** Targets and tensors must name the same modules: PEFT drops what only one of them names, with a warning that few read. */
function assertComplete(factors: ReadonlyMap<string, Factors>, targets: readonly LinearModule[], file: string): void {
  const targeted = new Set(targets.map(({ path }) => path));
  for (const [path, { a, b, savedBase }] of factors) {
    if (targeted.has(path)) continue;
    throw fail('ADAPTER_TENSOR_UNKNOWN', {
      file,
      tensor: shown((a ?? b ?? savedBase)?.name ?? path),
      reason: 'adapter_config.json does not target its module',
    });
  }
  const missing = targets.flatMap((module) => {
    const found = factors.get(module.path) ?? {};
    return (['a', 'b'] as const)
      .filter((role) => found[role] === undefined)
      .map((role) => `base_model.model.${module.path}.${endingOf(module, role) ?? ''}`);
  });
  if (missing.length > 0) throw fail('ADAPTER_TENSOR_MISSING', { file, missing: missing.length, tensors: missing.slice(0, NAMES_SHOWN) });
}

function assertShape(tensor: PlannedTensor, needed: readonly number[], file: string): void {
  if (tensor.shape.length === needed.length && tensor.shape.every((size, axis) => size === needed[axis])) return;
  throw fail('ADAPTER_SHAPE_MISMATCH', { file, tensor: shown(tensor.name), found: tensor.shape.join(', '), needed: needed.join(', ') });
}

function reasonAgainst(name: string): string {
  if (/\.base_layer\./.test(name)) return 'base weights are saved along with an adapted embedding or output layer alone';
  if (/\.lora_embedding_[AB]$/.test(name)) return 'its module is not the embedding';
  if (/\.lora_magnitude_vector/.test(name)) return 'it belongs to DoRA';
  if (name.endsWith('.bias')) return 'biases cannot be adapted here';
  return 'names of factors are base_model.model.MODULE.lora_A.weight and .lora_B.weight, of the embedding .lora_embedding_A and .lora_embedding_B';
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
