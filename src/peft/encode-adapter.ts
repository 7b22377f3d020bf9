// Canonical factors as PEFT saves a LoRA: the way back of read-adapter.ts.
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { type LinearClass, type LinearModule } from '#kernels/lora/modules.js';
import { placeFactors } from '#kernels/lora/place-factors.js';
import { encodeSafetensorsHeader, type TensorToWrite } from '#src/safetensors/write-header.js';
import { taskOf } from './adapter-config.js';
import { endingsOfLora } from './variants/lora.js';

export interface EncodedAdapter {
  /** adapter_config.json */
  readonly config: Buffer;
  /** adapter_model.safetensors, in pieces: a header, then the adapter's own numbers. */
  readonly weights: readonly Uint8Array[];
}

export interface EncodeOptions {
  readonly baseModelName: string;
  /** Scales are alpha/√r. @default false */
  readonly useRslora?: boolean;
}

/**
 * The adapter as LORA in float32. Read again it gives the same digest, save where no float64 alpha divides to the scale.
 * @param adapter at least one module, of those in `modules`
 * @param modules every linear module of the base
 */
export function encodePeftAdapter(
  adapter: CanonicalAdapter,
  modules: readonly LinearModule[],
  { baseModelName, useRslora = false }: EncodeOptions,
): EncodedAdapter {
  const placed = placeFactors(adapter, modules);
  const tensors: TensorToWrite[] = [];
  const pieces: Uint8Array[] = [];
  for (const { factors, module } of placed) {
    const endings = endingsOfLora(module);
    const path = `base_model.model.${module.path}`;
    tensors.push({ name: `${path}.${endings.a}`, dtype: 'F32', shape: [factors.rank, module.dIn] });
    tensors.push({ name: `${path}.${endings.b}`, dtype: 'F32', shape: [module.dOut, factors.rank] });
    pieces.push(...[factors.a, factors.b].map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)));
  }
  const ranks = describeByModule(placed.map(({ factors, module }) => ({ module, value: factors.rank })));
  const alphas = describeByModule(
    placed.map(({ factors, module }) => ({ module, value: alphaOf(factors.scale, useRslora ? Math.sqrt(factors.rank) : factors.rank) })),
  );
  const config = {
    alpha_pattern: alphas.pattern,
    base_model_name_or_path: baseModelName,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alphas.common,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: ranks.common,
    rank_pattern: ranks.pattern,
    target_modules: describeTargets(
      placed.map(({ module }) => module),
      modules,
    ),
    task_type: taskOf(modules),
    use_dora: false,
    use_rslora: useRslora,
  };
  return {
    config: Buffer.from(`${JSON.stringify(config, null, 2)}\n`),
    weights: [encodeSafetensorsHeader(tensors, { format: 'pt' }), ...pieces],
  };
}

/**
 * The alpha with alpha/divisor = scale exactly, where there is one: division rounds, so the product may be a neighbour of it.
 * @param divisor r or √r
 */
export function alphaOf(scale: number, divisor: number): number {
  const product = scale * divisor;
  const short = Number(product.toPrecision(12));
  const step = Math.abs(product) * 2 ** -53;
  return [short, product, ...[-2, -1, 1, 2].map((steps) => product + steps * step)].find((alpha) => alpha / divisor === scale) ?? product;
}

interface ValueOfModule {
  readonly module: LinearModule;
  readonly value: number;
}

/** The commonest value, and a pattern for each class or module that has another. */
function describeByModule(values: readonly ValueOfModule[]): {
  readonly common: number;
  readonly pattern: Readonly<Record<string, number>>;
} {
  const common = commonest(values.map(({ value }) => value));
  const ofClass = new Map<LinearClass, ValueOfModule[]>();
  for (const one of values) ofClass.set(one.module.class, [...(ofClass.get(one.module.class) ?? []), one]);
  const pattern: Record<string, number> = {};
  for (const [linearClass, others] of ofClass) {
    const [first] = others;
    if (first !== undefined && others.every(({ value }) => value === first.value)) {
      if (first.value !== common) pattern[linearClass] = first.value;
    } else for (const { module, value } of others) if (value !== common) pattern[module.path] = value;
  }
  return { common, pattern };
}

function commonest(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [0, 0])[0];
}

/** Classes where all modules of all of them are adapted, else every path. */
function describeTargets(adapted: readonly LinearModule[], modules: readonly LinearModule[]): readonly string[] {
  const classes = new Set(adapted.map((module) => module.class));
  const isWhole = modules.filter((module) => classes.has(module.class)).length === adapted.length;
  return isWhole ? [...classes] : adapted.map(({ path }) => path);
}
