// Brings an adapter's configuration and its file's header together on a base: which tensor is what of which module, at which rank and scale.
// Nothing is read or allocated here; every name and shape is accounted for, in both directions.
import { isVocabularyClass, type LinearModule } from '#kernels/lora/modules.js';
import { type SafetensorsTensor } from '#src/safetensors/read-header.js';
import { fail as failSafetensors } from '#src/safetensors/safetensors.errors.js';
import { FLOAT_DTYPES, isFloatDType } from '#src/safetensors/to-float32.js';
import { type AdapterConfig } from './adapter-config.js';
import { findPatternValues, findTargetModules } from './match-modules.js';
import { fail } from './peft.errors.js';
import { assertShape, type PlannedModule, type PlannedTensor, type PlannedTensors, shownName } from './planned-module.js';
import type { Variant } from './variants/variant.js';
import { variants } from './variants/variants.js';

// As save_pretrained names them: the wrapped model, the module's own path, what the tensor is; the adapter's own name is left out.
const PREFIX = 'base_model.model.';
/** What a tensor is that is no part of the adapter. */
const SAVED_BASE = 'savedBase';
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
  const variant = variants[config.variant];
  const found = collectTensors(variant, tensors, modules, file);
  if (found.byModule.size === 0) throw fail('ADAPTER_EMPTY', { file });
  const targets = findTargetModules(config, modules);
  assertComplete(variant, found, targets, file);

  const ranks = findPatternValues(config.rankPattern, targets, 'rank_pattern');
  const alphas = findPatternValues(config.alphaPattern, targets, 'alpha_pattern');
  return targets.map((module, i): PlannedModule => {
    const settings = { ...config, rank: ranks[i] ?? config.rank, alpha: alphas[i] ?? config.alpha };
    const { [SAVED_BASE]: savedBase, ...own } = found.byModule.get(module.path) ?? {};
    const all = { ...found.shared, ...own };
    const planned = { module, variant: variant.name, ...variant.plan({ module, tensors: all, settings, file }), tensors: all };
    if (savedBase === undefined) return planned;
    assertShape(savedBase, isEmbedding(module) ? [module.dIn, module.dOut] : [module.dOut, module.dIn], file);
    return { ...planned, savedBase };
  });
}

function isEmbedding(module: LinearModule): boolean {
  return module.class === 'embed_tokens';
}

/** How the names of a module's tensors end, by what each is. */
function endingsOf(variant: Variant, module: LinearModule): Readonly<Record<string, string>> {
  return { ...variant.endings(module), ...(isVocabularyClass(module.class) && { [SAVED_BASE]: 'base_layer.weight' }) };
}

interface FoundTensors {
  readonly shared: PlannedTensors;
  readonly byModule: ReadonlyMap<string, PlannedTensors>;
}

/** Sorts every tensor of the file under its module. @throws BraidError ADAPTER_TENSOR_UNKNOWN for one that has none */
function collectTensors(
  variant: Variant,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  modules: readonly LinearModule[],
  file: string,
): FoundTensors {
  const byName = new Map<string, { readonly path: string | undefined; readonly role: string }>();
  for (const module of modules) {
    for (const [role, ending] of Object.entries(endingsOf(variant, module))) {
      byName.set(`${PREFIX}${module.path}.${ending}`, { path: module.path, role });
    }
  }
  for (const [role, name] of Object.entries(variant.shared ?? {})) byName.set(name, { path: undefined, role });

  const shared: Record<string, PlannedTensor> = {};
  const byModule = new Map<string, Record<string, PlannedTensor>>();
  for (const [name, tensor] of tensors) {
    const place = byName.get(name);
    if (place === undefined)
      throw fail('ADAPTER_TENSOR_UNKNOWN', { file, tensor: shownName(name), reason: reasonAgainst(name, variant, modules) });
    const { dtype } = tensor;
    if (!isFloatDType(dtype)) {
      throw failSafetensors('SAFETENSORS_DTYPE_UNSUPPORTED', { file, tensor: shownName(name), found: dtype, allowed: FLOAT_DTYPES });
    }
    const { path, role } = place;
    const of = path === undefined ? shared : (byModule.get(path) ?? {});
    of[role] = { ...tensor, dtype, name };
    if (path !== undefined) byModule.set(path, of);
  }
  return { shared, byModule };
}

/** Targets and tensors must name the same modules: PEFT drops what only one of them names, with a warning that few read. */
function assertComplete(variant: Variant, { shared, byModule }: FoundTensors, targets: readonly LinearModule[], file: string): void {
  const targeted = new Set(targets.map(({ path }) => path));
  for (const [path, found] of byModule) {
    if (targeted.has(path)) continue;
    const [first] = Object.values(found);
    throw fail('ADAPTER_TENSOR_UNKNOWN', {
      file,
      tensor: shownName(first?.name ?? path),
      reason: 'adapter_config.json does not target its module',
    });
  }
  const missing = targets.flatMap((module) => {
    const endings = endingsOf(variant, module);
    const roles = variant.missing({ ...shared, ...byModule.get(module.path) });
    return roles.map((role) => variant.shared?.[role] ?? `${PREFIX}${module.path}.${endings[role] ?? role}`);
  });
  if (missing.length > 0) throw fail('ADAPTER_TENSOR_MISSING', { file, missing: missing.length, tensors: missing.slice(0, NAMES_SHOWN) });
}

function reasonAgainst(name: string, variant: Variant, modules: readonly LinearModule[]): string {
  const path = pathOf(name, variant, modules);
  if (path !== undefined && !modules.some((module) => module.path === path)) return describeMissingModule(path, modules);
  if (/\.base_layer\./.test(name)) return 'base weights are saved along with an adapted embedding or output layer alone';
  if (/\.lora_embedding_[AB]$/.test(name)) return 'its module is not the embedding';
  if (/\.lora_magnitude_vector/.test(name)) return 'it belongs to DoRA, which adapter_config.json does not speak of (use_dora)';
  if (name.endsWith('.bias')) return 'biases cannot be adapted here';
  const [first] = modules;
  const endings = first === undefined ? [] : Object.values(variant.endings(first)).map((ending) => `.${ending}`);
  const shared = Object.values(variant.shared ?? {});
  return `names of ${variant.peftType} tensors are ${PREFIX}MODULE with ${[...endings, ...shared].join(', ')}`;
}

/** The module that a name speaks of, whether or not the base has it; undefined where the name does not end as a tensor's. */
function pathOf(name: string, variant: Variant, modules: readonly LinearModule[]): string | undefined {
  if (!name.startsWith(PREFIX)) return undefined;
  const endings = new Set(modules.flatMap((module) => Object.values(endingsOf(variant, module))));
  const ending = [...endings].find((one) => name.endsWith(`.${one}`));
  return ending === undefined ? undefined : name.slice(PREFIX.length, -ending.length - 1);
}

function describeMissingModule(path: string, modules: readonly LinearModule[]): string {
  const layers = 1 + Math.max(-1, ...modules.map(({ layer }) => layer));
  const layer = /\.layers\.(\d+)\./.exec(path)?.[1];
  if (layer !== undefined && Number(layer) >= layers) return `it is of layer ${layer}, and the base has ${layers} layers, counted from 0`;
  const classes = [...new Set(modules.map((module) => module.class))];
  return `${shownName(path)} is none of the base's linear modules that can be adapted (${classes.join(', ')})`;
}
