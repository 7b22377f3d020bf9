// Which layers see only the nearest tokens: `sliding_window`, and `layer_types` where a family's class reads it.
import type { ConfigReader } from './config-reader.js';
import type { DecoderSizes, LayerAttention } from './decoder-traits.js';

export interface WindowRule {
  /** What transformers takes where the field is absent; null turns it off. */
  readonly defaultWindow?: number;
  /** @default true */
  readonly isOn?: boolean;
  /** The layers that slide where `layer_types` is absent. */
  readonly slides: ((layer: number) => boolean) | 'never';
  /** Whether the class reads `layer_types`; else it may only repeat the rule. */
  readonly followsLayerTypes: boolean;
}

export interface LayerWindow {
  readonly isSliding: boolean;
  /** Tokens that a token sees, itself included; absent where nothing is out of sight. */
  readonly window?: number;
}

/**
 * Layer by layer. A window not shorter than the longest text hides nothing.
 * @throws ModelConfigError for a window that the class does not know, or sliding layers without one
 */
export function readWindows(
  reader: ConfigReader,
  sizes: Pick<DecoderSizes, 'layers' | 'maxPositionEmbeddings'>,
  rule: WindowRule,
): LayerWindow[] {
  const { layers, maxPositionEmbeddings } = sizes;
  const stated = reader.optionalInteger('sliding_window') ?? (reader.has('sliding_window') ? undefined : rule.defaultWindow);
  if (stated === 0) throw reader.error('sliding_window', 'must be at least 1, found 0');
  const known = rule.isOn === false ? undefined : stated;
  const window = known !== undefined && known < maxPositionEmbeddings ? known : undefined;
  const { slides } = rule;
  if (slides === 'never' && window !== undefined)
    throw reader.error(
      'sliding_window',
      `a window of ${window} below max_position_embeddings ${maxPositionEmbeddings} is not known to this architecture`,
    );
  const ruled = Array.from({ length: layers }, (_, layer) => known !== undefined && slides !== 'never' && slides(layer));
  const typed = readLayerTypes(reader, layers);
  if (typed && !rule.followsLayerTypes && typed.some((isSliding, layer) => isSliding !== ruled[layer])) {
    throw reader.error(
      'layer_types',
      `every one of the ${layers} layers must be ${ruled[0] ? 'sliding_attention' : 'full_attention'}, found others`,
    );
  }
  if (known === undefined && typed?.includes(true))
    throw reader.error('sliding_window', 'is missing or off, but layer_types has sliding_attention');
  return (typed ?? ruled).map((isSliding) => ({ isSliding, ...(isSliding && window !== undefined ? { window } : {}) }));
}

/** A layer's attention in what a configuration says of it. */
export function attendWithin(window: number | undefined, rope: number): LayerAttention {
  return window === undefined ? { rope } : { rope, window };
}

function readLayerTypes(reader: ConfigReader, layers: number): boolean[] | undefined {
  const value = reader.take('layer_types');
  if (value === undefined) return undefined;
  const types = Array.isArray(value) ? (value as unknown[]) : [value];
  if (types.length !== layers)
    throw reader.error('layer_types', `must have one entry for each of the ${layers} layers, found ${types.length}`);
  return types.map((type) => {
    if (type !== 'full_attention' && type !== 'sliding_attention')
      throw reader.error('layer_types', `found ${JSON.stringify(type).slice(0, 80)}, supported: "full_attention", "sliding_attention"`);
    return type === 'sliding_attention';
  });
}
