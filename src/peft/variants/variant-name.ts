// The names of variants, apart from what they do: plans and manifests carry them.
/** Kinds of adapters, as manifests name them. */
export type VariantName = 'lora' | 'dora' | 'adalora' | 'lokr' | 'loha' | 'vera';
