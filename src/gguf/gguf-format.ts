// The numbers of the GGUF format, version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

/** "GGUF", little-endian. */
export const MAGIC = 0x46554747;
export const VERSION = 3;
/** Bytes; of the data and of every tensor in it, where general.alignment says nothing else. */
export const DEFAULT_ALIGNMENT = 32;

/** Types of metadata values. */
export const VALUE_TYPES = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

/** Bytes of the values that have a size of their own, by type. */
export const VALUE_BYTES: ReadonlyMap<number, number> = new Map([
  [VALUE_TYPES.uint8, 1],
  [VALUE_TYPES.int8, 1],
  [VALUE_TYPES.bool, 1],
  [VALUE_TYPES.uint16, 2],
  [VALUE_TYPES.int16, 2],
  [VALUE_TYPES.uint32, 4],
  [VALUE_TYPES.int32, 4],
  [VALUE_TYPES.float32, 4],
  [VALUE_TYPES.uint64, 8],
  [VALUE_TYPES.int64, 8],
  [VALUE_TYPES.float64, 8],
]);

/** Element types of tensors that are no quantized blocks. */
export const TENSOR_TYPES = { F32: 0, F16: 1, BF16: 30 } as const;
export type GgufFloatType = keyof typeof TENSOR_TYPES;
export const GGUF_FLOAT_BYTES = { F32: 4, F16: 2, BF16: 2 } as const satisfies Record<GgufFloatType, number>;

export function align(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}
