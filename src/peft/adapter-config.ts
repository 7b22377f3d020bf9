// Reads adapter_config.json as PEFT writes it. Everything that would make the adapter more than plain LoRA is refused by name:
// an adapter that is applied in part is worse than one that is refused.
import { fail } from './peft.errors.js';

/** A LoRA or rsLoRA adapter's own settings; names follow PEFT's LoraConfig. */
export interface AdapterConfig {
  /** r, where rank_pattern says nothing else. */
  readonly rank: number;
  /** lora_alpha, where alpha_pattern says nothing else. */
  readonly alpha: number;
  /** s = alpha/√r (arXiv 2312.03732) where true, alpha/r where false. */
  readonly useRslora: boolean;
  /** Names of modules (whole, or their last segments), or one regular expression over whole names, or `all-linear`. */
  readonly targets: string | readonly string[];
  readonly excluded: string | readonly string[];
  /** Indices of the layers that the targets are limited to; undefined is all. Counts only when targets is a list. */
  readonly layers: readonly number[] | undefined;
  /** Names of the layer lists that `layers` counts in, as regular expressions; empty is any. */
  readonly layersPatterns: readonly string[];
  /** Regular expression over the end of a module's name → its r, in order of precedence. */
  readonly rankPattern: ReadonlyMap<string, number>;
  /** Regular expression over the end of a module's name → its alpha, in order of precedence. */
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** What the adapter was trained on, by its own word. */
  readonly baseModelName: string | undefined;
}

/** PEFT writes about 1.5 KB; patterns that name every module of a large model take some 100 KB. */
export const MAX_CONFIG_BYTES = 1_048_576;
/** Far beyond use (published adapters rarely exceed 256), and small enough that the norm of one module's update is computed in under a second. */
export const MAX_RANK = 1024;
const MAX_PATTERNS = 4096;
const MAX_PATTERN_LENGTH = 512;
const MAX_TARGETS = 4096;

// Read below, field by field.
const READ_FIELDS = new Set([
  'peft_type',
  'task_type',
  'r',
  'lora_alpha',
  'use_rslora',
  'target_modules',
  'exclude_modules',
  'layers_to_transform',
  'layers_pattern',
  'rank_pattern',
  'alpha_pattern',
  'base_model_name_or_path',
  'bias',
  'init_lora_weights',
]);

// Whatever they say, the adapter computes the same: bookkeeping, training-time settings, and settings of switches that are off.
const HARMLESS_FIELDS = new Set([
  'auto_mapping',
  'peft_version',
  'revision',
  'inference_mode',
  'lora_dropout',
  'runtime_config',
  'megatron_core',
  'qalora_group_size',
  // Settings of initialisations; whether the initialisation itself is acceptable is init_lora_weights' matter.
  'loftq_config',
  'eva_config',
  'corda_config',
  'lora_ga_config',
]);

// Why each known switch is refused. A field that is in no list is refused as well unless it is off: PEFT grows, and we cannot know what it means.
const REFUSED_WHEN_ON: Readonly<Record<string, string>> = {
  use_dora: 'DoRA rescales the rows of the base weights',
  use_qalora: 'QALoRA pools the inputs',
  use_bdlora: 'its factors are block-diagonal',
  lora_bias: 'the adapter has trained biases',
  modules_to_save: 'the adapter replaces whole modules of the base',
  fan_in_fan_out: 'its factors are transposed',
  layer_replication: 'it needs a base with repeated layers',
  trainable_token_indices: 'it replaces rows of the embedding',
  ensure_weight_tying: 'it makes the embedding and the output layer share one adapter',
  target_parameters: 'it adapts bare parameters instead of linear modules',
  alora_invocation_tokens: 'it acts only after its invocation tokens',
  arrow_config: 'it routes between adapters',
  megatron_config: 'its layers are split over devices',
  kasa_config: 'it is not plain LoRA',
  monteclora_config: 'it is not plain LoRA',
  velora_config: 'it is not plain LoRA',
};

// Initialisations that leave the base's weights alone. The others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA …) subtract from the base what they put into
// the adapter, so their adapters do not fit the base as published unless PEFT converted them, and then it writes `true` here.
const BASE_PRESERVING_INITS: readonly unknown[] = [undefined, null, true, false, 'gaussian', 'eva', 'orthogonal'];

/**
 * Parses adapter_config.json.
 * @param bytes the file as uploaded
 * @throws BraidError ADAPTER_CONFIG_INVALID, ADAPTER_TYPE_UNSUPPORTED or ADAPTER_FEATURE_UNSUPPORTED
 */
export function parseAdapterConfig(bytes: Uint8Array): AdapterConfig {
  if (bytes.byteLength > MAX_CONFIG_BYTES) throw invalid(`it has ${bytes.byteLength} bytes, at most ${MAX_CONFIG_BYTES} are accepted`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(`it is ${shown(json)}, not an object`);
  const fields = json as Readonly<Record<string, unknown>>;
  assertPlainLora(fields);
  // The registry keeps the configuration in a JSON column, which takes neither; JSON.stringify escapes exactly these.
  if (/\\u0000|\\ud[89a-f]/.test(JSON.stringify(json))) throw invalid('it holds a NUL or half a surrogate pair');

  return {
    rank: readRank(fields['r'] ?? 8, 'r'),
    alpha: readAlpha(fields['lora_alpha'] ?? 8, 'lora_alpha'),
    useRslora: readBoolean(fields['use_rslora'] ?? false, 'use_rslora'),
    targets: readTargets(fields['target_modules'], 'target_modules'),
    excluded: isOff(fields['exclude_modules']) ? [] : readTargets(fields['exclude_modules'], 'exclude_modules'),
    layers: readLayers(fields['layers_to_transform']),
    layersPatterns: isOff(fields['layers_pattern']) ? [] : readNames(fields['layers_pattern'], 'layers_pattern'),
    rankPattern: readPattern(fields['rank_pattern'], 'rank_pattern', readRank),
    alphaPattern: readPattern(fields['alpha_pattern'], 'alpha_pattern', readAlpha),
    baseModelName: typeof fields['base_model_name_or_path'] === 'string' ? fields['base_model_name_or_path'].slice(0, 512) : undefined,
  };
}

function assertPlainLora(fields: Readonly<Record<string, unknown>>): void {
  const { peft_type: peftType, task_type: taskType, bias, init_lora_weights: init } = fields;
  if (peftType !== 'LORA') throw fail('ADAPTER_TYPE_UNSUPPORTED', { found: shown(peftType), allowed: '"LORA" (plain LoRA and rsLoRA)' });
  if (taskType !== undefined && taskType !== null && taskType !== 'CAUSAL_LM') {
    throw unsupported('task_type', taskType, 'Braid composes language models, "CAUSAL_LM"');
  }
  if (bias !== undefined && bias !== 'none') throw unsupported('bias', bias, 'biases of the base were trained with it');
  if (!BASE_PRESERVING_INITS.includes(init)) {
    throw unsupported(
      'init_lora_weights',
      init,
      'such an adapter belongs to a base whose weights were changed; convert it with path_initial_model_for_weight_conversion',
    );
  }
  for (const [field, value] of Object.entries(fields)) {
    if (READ_FIELDS.has(field) || HARMLESS_FIELDS.has(field) || isOff(value)) continue;
    const known = Object.hasOwn(REFUSED_WHEN_ON, field) ? REFUSED_WHEN_ON[field] : undefined;
    throw unsupported(shownField(field), value, known ?? 'the field is unknown, so it may change what the adapter computes');
  }
}

/** PEFT writes switches that are not used as null, false, an empty string, list or object. */
function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function readRank(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_RANK) return value;
  throw invalid(`${field} is ${shown(value)}, it must be a whole number from 1 to ${MAX_RANK}`);
}

function readAlpha(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalid(`${field} is ${shown(value)}, it must be a finite number`);
}

function readBoolean(value: unknown, field: string): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid(`${field} is ${shown(value)}, it must be true or false`);
}

function readTargets(value: unknown, field: string): string | readonly string[] {
  if (typeof value === 'string' && value !== '') {
    assertPatternLength(value, field);
    return value;
  }
  if (Array.isArray(value) && value.length > 0) return readNames(value, field);
  throw invalid(`${field} is ${shown(value)}, it must name at least one module`);
}

function readNames(value: unknown, field: string): readonly string[] {
  const names: unknown[] = Array.isArray(value) ? value : [value];
  if (names.length > MAX_TARGETS) throw invalid(`${field} has ${names.length} entries, at most ${MAX_TARGETS} are accepted`);
  return names.map((name) => {
    if (typeof name !== 'string') throw invalid(`${field} holds ${shown(name)}, it must hold names`);
    assertPatternLength(name, field);
    return name;
  });
}

function readLayers(value: unknown): readonly number[] | undefined {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return undefined;
  const layers: unknown[] = Array.isArray(value) ? value : [value];
  if (layers.length > MAX_TARGETS) throw invalid(`layers_to_transform has ${layers.length} entries, at most ${MAX_TARGETS} are accepted`);
  return layers.map((layer) => {
    if (typeof layer === 'number' && Number.isInteger(layer) && layer >= 0) return layer;
    throw invalid(`layers_to_transform holds ${shown(layer)}, it must hold indices of layers`);
  });
}

function readPattern(value: unknown, field: string, read: (value: unknown, field: string) => number): ReadonlyMap<string, number> {
  if (isOff(value)) return new Map();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${field} is ${shown(value)}, not an object`);
  const entries = Object.entries(value);
  if (entries.length > MAX_PATTERNS) throw invalid(`${field} has ${entries.length} entries, at most ${MAX_PATTERNS} are accepted`);
  return new Map(
    entries.map(([pattern, number]) => {
      assertPatternLength(pattern, field);
      return [pattern, read(number, `${field}[${shown(pattern)}]`)];
    }),
  );
}

function assertPatternLength(pattern: string, field: string): void {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw invalid(`${field} holds a pattern of ${pattern.length} characters, at most ${MAX_PATTERN_LENGTH} are accepted`);
  }
}

function invalid(reason: string, cause?: unknown): Error {
  return fail('ADAPTER_CONFIG_INVALID', { reason }, cause);
}

function unsupported(field: string, found: unknown, reason: string): Error {
  return fail('ADAPTER_FEATURE_UNSUPPORTED', { field, found: shown(found), reason });
}

function shownField(field: string): string {
  return /^\w{1,64}$/.test(field) ? field : shown(field);
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  // JSON.stringify writes null for 1e400, which JSON.parse reads as Infinity.
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'number' && !Number.isFinite(part) ? String(part) : part));
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
