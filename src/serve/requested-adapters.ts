// The ways of naming adapters in a request, reduced to one: what is put on the base model, and in which space. Pure.
import type { Space } from '#src/registry/composition-version.entity.js';
import type { MergedAdaptersDto, ModelFieldsDto } from '#src/serve/model-fields.dto.js';
import { failServe } from '#src/serve/serve.errors.js';

export interface RequestedPart {
  readonly adapter: string;
  readonly weight: number;
  /** Where in the request the adapter's name stands, for errors. */
  readonly field: string;
}

export type RequestedAdapters =
  | { readonly kind: 'none' }
  /** An adapter or composition as its name means it. */
  | { readonly kind: 'named'; readonly field: 'adapter_id'; readonly name: string }
  | { readonly kind: 'mixture'; readonly field: string; readonly space: Space; readonly parts: readonly RequestedPart[] };

type AdapterFields = Omit<ModelFieldsDto, 'model'>;

/** LoRAX's name of no adapter. */
const NO_ADAPTER: readonly unknown[] = [undefined, null, '', '__base_model__'];
const WAYS = ['mixture', 'adapter_id', 'merged_adapters', 'lora'] as const;

/** @throws BraidError INVALID_VALUE for two ways at once or lists of two lengths, UNSUPPORTED_PARAMETER, MERGE_STRATEGY_UNSUPPORTED */
export function findRequestedAdapters(fields: AdapterFields): RequestedAdapters {
  const { adapter_source: source } = fields;
  if (source !== undefined && source !== null && source !== 'hub') {
    throw failServe('UNSUPPORTED_PARAMETER', { field: 'adapter_source', neutral: ' or "hub": adapters are those that are published here' });
  }
  const { mixture, adapter_id: name, merged_adapters: merged } = fields;
  const lora = fields.lora ?? [];
  const [way, other] = WAYS.filter((key) => (key === 'lora' ? lora.length > 0 : !NO_ADAPTER.includes(fields[key])));
  if (way !== undefined && other !== undefined) {
    throw failServe('INVALID_VALUE', { field: other, rule: `cannot stand beside ${way}: name the adapters of a request in one way` });
  }
  if (Array.isArray(mixture)) return fromMixture('mixture', 'delta', mixture);
  if (mixture !== undefined && mixture !== null) return fromMixture('mixture.parts', mixture.space, mixture.parts);
  if (way === 'adapter_id' && typeof name === 'string') return { kind: 'named', field: 'adapter_id', name };
  if (merged !== undefined && merged !== null) return fromMergedAdapters(merged);
  if (lora.length === 0) return { kind: 'none' };
  // llama.cpp adds scale·ΔWᵢ: delta space.
  const parts = lora.map(({ id, scale }, i) => ({ adapter: id, weight: scale, field: `lora[${i}].id` }));
  return { kind: 'mixture', field: 'lora', space: 'delta', parts };
}

function fromMixture(
  list: string,
  space: Space,
  parts: readonly { readonly adapter: string; readonly weight: number }[],
): RequestedAdapters {
  return {
    kind: 'mixture',
    field: 'mixture',
    space,
    parts: parts.map(({ adapter, weight }, i) => ({ adapter, weight, field: `${list}[${i}].adapter` })),
  };
}

/**
 * Linear is Σ wᵢ·ΔWᵢ here, as everywhere in Braid: one adapter at 0.5 acts at one half. LoRAX itself merges (Σ wᵢ·Bᵢ)(Σ wᵢ·Aᵢ), weights as they are
 * (server/lorax_server/utils/merges/strategies.py, LinearMerge), which is factor space, by name. Where alphas differ it scales all by the first
 * adapter's, Braid each by its own.
 */
function fromMergedAdapters({ ids, weights, merge_strategy: strategy, space }: MergedAdaptersDto): RequestedAdapters {
  if (strategy !== undefined && strategy !== null && strategy !== 'linear') {
    throw failServe('MERGE_STRATEGY_UNSUPPORTED', { field: 'merged_adapters.merge_strategy', found: strategy });
  }
  if (ids.length !== weights.length) {
    throw failServe('INVALID_VALUE', {
      field: 'merged_adapters.weights',
      rule: `must have one weight per id; found ${weights.length} for ${ids.length}`,
    });
  }
  return {
    kind: 'mixture',
    field: 'merged_adapters',
    space: space ?? 'delta',
    parts: ids.map((adapter, i) => ({ adapter, weight: weights[i] ?? 0, field: `merged_adapters.ids[${i}]` })),
  };
}
