// From config.json alone: parameters, bytes on disk, memory for training and for serving, of full fine-tuning beside LoRA.
import { type LinearClass } from '#kernels/lora/modules.js';
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { isSeq2Seq, ModelConfigError, parseModelConfig } from '#kernels/models/models.js';
import { chooseAdaptedModules, countPair, type AdaptedModule } from './adapted-modules.js';
import { countParameters, listParameters } from './count-parameters.js';
import { describeAssumptions } from './describe-assumptions.js';
import { fail } from './plan.errors.js';
import { planServing, type ServingPlan } from './plan-serving.js';
import { planFullFineTuning, planLora, type Optimizer, type TrainingPlan } from './plan-training.js';
import { formatOf, type NumberFormat, type Precision } from './precision.js';

export interface PlanRequest {
  readonly rank: number;
  /** Names as in PEFT's target_modules, or all-linear. */
  readonly targets: readonly string[];
  readonly precision: Precision;
  readonly adapterFormat: NumberFormat;
  readonly optimizer: Optimizer;
  readonly hasCheckpointing: boolean;
  readonly batch: number;
  /** Tokens of a sequence in training. @default 1024, or the model's context where that is shorter */
  readonly length?: number;
  /** Adapters to keep and serve. */
  readonly adapters: number;
  readonly adapterMemoryBytes: number;
  readonly rows: number;
  /** Tokens of a row in serving. @default 2048, or the model's context where that is shorter */
  readonly context?: number;
}

/** One kind of adapted module: its weight beside the pair that is trained for it. */
export interface ModulePlan {
  readonly class: LinearClass;
  readonly dOut: number;
  readonly dIn: number;
  readonly rank: number;
  /** Modules of the kind. */
  readonly count: number;
  /** Of one weight. */
  readonly parameters: number;
  /** Of one pair of factors. */
  readonly pairParameters: number;
}

export interface ModelSummary {
  readonly architecture: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly parameters: number;
}

/** What was asked for, with what was chosen where nothing was. */
export interface PlanChoices extends PlanRequest {
  readonly length: number;
  readonly context: number;
  readonly storedFormat: NumberFormat;
}

export interface Plan {
  readonly model: ModelSummary;
  readonly choices: PlanChoices;
  readonly modules: readonly ModulePlan[];
  readonly training: { readonly full: TrainingPlan; readonly lora: TrainingPlan };
  /** Files of all adapters, or of as many whole models. */
  readonly disk: { readonly fullBytes: number; readonly loraBytes: number };
  readonly serving: ServingPlan;
  /** What the figures rest on, a sentence each. */
  readonly assumptions: readonly string[];
}

/** Largest numbers that are planned for: beyond any use, and small enough for sums to be exact. */
export const PLAN_LIMITS = {
  rank: 1024,
  adapters: 10_000_000,
  batch: 65_536,
  length: 2 ** 24,
  rows: 1024,
  adapterMemoryMb: 1024 * 1024,
} as const;

const DEFAULT_LENGTH = 1024;
const DEFAULT_CONTEXT = 2048;

/**
 * @param json a model's parsed config.json
 * @throws BraidError of plan.errors.ts
 */
export function createPlan(json: unknown, request: PlanRequest): Plan {
  const config = parseConfig(json);
  const { maxPositionEmbeddings: contextLength } = config;
  const choices: PlanChoices = {
    ...request,
    length: request.length ?? Math.min(DEFAULT_LENGTH, contextLength),
    context: request.context ?? Math.min(DEFAULT_CONTEXT, contextLength),
    storedFormat: storedFormatOf(json) ?? formatOf(request.precision),
  };
  assertFits('training length', choices.length, contextLength);
  assertFits('serving context', choices.context, contextLength);
  const adapted = chooseAdaptedModules(config, choices.targets, choices.rank);
  const training = { full: planFullFineTuning(config, choices), lora: planLora(config, adapted, choices) };
  return {
    model: summarize(config),
    choices,
    modules: planModules(adapted),
    training,
    disk: { fullBytes: choices.adapters * training.full.fileBytes, loraBytes: choices.adapters * training.lora.fileBytes },
    serving: planServing(config, adapted, choices),
    assumptions: describeAssumptions(choices),
  };
}

function parseConfig(json: unknown): DecoderConfig {
  try {
    const config = parseModelConfig(json);
    if (!isSeq2Seq(config)) return config;
    throw new ModelConfigError('architectures', 'plans are made for decoders, and this model has an encoder too');
  } catch (error) {
    if (!(error instanceof ModelConfigError)) throw error;
    throw fail('PLAN_CONFIG_UNSUPPORTED', { field: error.field, reason: error.message }, error);
  }
}

/** transformers 5 writes `dtype`, 4 wrote `torch_dtype`; undefined where neither names a format that is served. */
function storedFormatOf(json: unknown): NumberFormat | undefined {
  const { dtype, torch_dtype: torchDtype } = json as { readonly dtype?: unknown; readonly torch_dtype?: unknown };
  const formats = new Map<unknown, NumberFormat>([
    ['float32', 'fp32'],
    ['bfloat16', 'bf16'],
    ['float16', 'fp16'],
  ]);
  return formats.get(dtype ?? torchDtype);
}

function assertFits(what: string, found: number, limit: number): void {
  if (found > limit) throw fail('PLAN_TOO_LONG', { what, found, limit });
}

function summarize(config: DecoderConfig): ModelSummary {
  const { architecture, layers, hiddenSize, maxPositionEmbeddings, vocabularySize } = config;
  const parameters = countParameters(listParameters(config));
  return { architecture, layers, hiddenSize, contextLength: maxPositionEmbeddings, vocabularySize, parameters };
}

function planModules(adapted: readonly AdaptedModule[]): ModulePlan[] {
  const kinds = new Map<LinearClass, ModulePlan>();
  for (const entry of adapted) {
    const { class: target, dOut, dIn } = entry.module;
    const count = (kinds.get(target)?.count ?? 0) + 1;
    kinds.set(target, { class: target, dOut, dIn, rank: entry.rank, count, parameters: dOut * dIn, pairParameters: countPair(entry) });
  }
  return [...kinds.values()];
}
