// How large a safetensors file is, to the byte, before it exists: the header's text follows from names, shapes and places.
import { sizeOf, type ParameterTensor } from './count-parameters.js';
import { FORMAT_BYTES, FORMAT_DTYPES, type NumberFormat } from './precision.js';

const LENGTH_BYTES = 8;
/** The header is filled with blanks to a multiple of this, so that tensors are aligned. */
const HEADER_ALIGNMENT = 8;

/**
 * Bytes of the file that the safetensors library writes for these tensors, all in one format, with transformers' and PEFT's `format: pt`.
 * Tensors of one format lie by name (https://huggingface.co/docs/safetensors).
 */
export function sizeOfSafetensors(tensors: readonly ParameterTensor[], format: NumberFormat): number {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const tensor of [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const start = end;
    end += sizeOf(tensor) * FORMAT_BYTES[format];
    header[tensor.name] = { dtype: FORMAT_DTYPES[format], shape: tensor.shape, data_offsets: [start, end] };
  }
  const headerBytes = Buffer.byteLength(JSON.stringify(header));
  return LENGTH_BYTES + Math.ceil(headerBytes / HEADER_ALIGNMENT) * HEADER_ALIGNMENT + end;
}
