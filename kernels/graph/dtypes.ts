// The element types our graphs use, with their ONNX codes (TensorProto.DataType) and sizes.

export const ELEMENT_TYPES = {
  float32: { code: 1, sizeBytes: 4 },
  uint8: { code: 2, sizeBytes: 1 },
  int8: { code: 3, sizeBytes: 1 },
  int32: { code: 6, sizeBytes: 4 },
  int64: { code: 7, sizeBytes: 8 },
  bool: { code: 9, sizeBytes: 1 },
  float16: { code: 10, sizeBytes: 2 },
  bfloat16: { code: 16, sizeBytes: 2 },
} as const;

export type DType = keyof typeof ELEMENT_TYPES;

/** Types that index or count. */
export type IntegerType = 'int32' | 'int64';

/** Types that a model's arithmetic is done in. */
export type FloatType = 'float32' | 'float16';

/** Types that arithmetic ops take. */
export type NumericType = FloatType | IntegerType;
