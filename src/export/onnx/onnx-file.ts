// A graph for ONNX Runtime whose weights are the safetensors files beside it: nothing is written twice.
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { buildLogitsProgram } from '#kernels/models/models.js';
import { type TensorLocation } from '#kernels/models/tensor-index.js';
import { type ExportFile, fileOf } from '../export-file.js';
import { type MergedWeights } from '../merged/merged-weights.js';

/** model.onnx: input_ids [batch, sequence] → next_token_logits [batch, sequence, vocabulary]. */
export function createOnnxFile({ files, isTied }: MergedWeights, config: DecoderConfig): ExportFile {
  const tensors = new Map(
    files.flatMap((file) =>
      [...file.tensors].flatMap(([name, { dtype, shape, offset, length }]): [string, TensorLocation][] =>
        dtype === 'F32' || dtype === 'F16' || dtype === 'BF16' ? [[name, { file: file.name, dtype, shape, offset, length }]] : [],
      ),
    ),
  );
  return fileOf('model.onnx', [buildLogitsProgram({ config: { ...config, hasTiedEmbeddings: isTied }, tensors })]);
}
