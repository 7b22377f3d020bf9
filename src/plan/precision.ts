// The number formats of a plan and their sizes.

export const PRECISIONS = ['fp32', 'bf16', 'fp16', 'bf16-mixed', 'fp16-mixed'] as const;
/** How a model is trained: in one format, or in 16 bits with fp32 copies in the optimizer (Micikevicius et al. 2018, arXiv:1710.03740). */
export type Precision = (typeof PRECISIONS)[number];

export const FORMATS = ['fp32', 'bf16', 'fp16'] as const;
/** A stored number's format. */
export type NumberFormat = (typeof FORMATS)[number];

/** Bytes of a number. */
export const FORMAT_BYTES = { fp32: 4, bf16: 2, fp16: 2 } as const satisfies Record<NumberFormat, number>;
/** safetensors' names. */
export const FORMAT_DTYPES = { fp32: 'F32', bf16: 'BF16', fp16: 'F16' } as const satisfies Record<NumberFormat, string>;

/** The format that weights have and activations are computed in. */
export function formatOf(precision: Precision): NumberFormat {
  switch (precision) {
    case 'bf16-mixed':
      return 'bf16';
    case 'fp16-mixed':
      return 'fp16';
    case 'fp32':
    case 'bf16':
    case 'fp16':
      return precision;
  }
}

export function isMixed(precision: Precision): boolean {
  return precision.endsWith('-mixed');
}
