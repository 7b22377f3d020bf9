// The formats by name: what each can do, and how it writes an adapter.
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { type DecoderConfig } from '#kernels/models/decoder-config.js';
import { isSeq2Seq, type ModelConfig } from '#kernels/models/models.js';
import { encodeGgufLora } from '#src/gguf/encode-lora.js';
import { encodePeftAdapter } from '#src/peft/encode-adapter.js';
import { type CompositionPrompt } from '#src/registry/composition-version.entity.js';
import { type ResolvedModel } from '#src/registry/registry.service.js';
import { writeCard } from './card.js';
import { type RankCut } from './cut-adapter.js';
import { type ExportFile, fileOf } from './export-file.js';
import { fail } from './export.errors.js';
import { createMergedFiles } from './merged/merged-files.js';
import { createMergedWeights, type MergedWeights } from './merged/merged-weights.js';
import { createOnnxFile } from './onnx/onnx-file.js';

export const FORMAT_NAMES = ['peft', 'gguf', 'merged', 'onnx'] as const;
export type ExportFormat = (typeof FORMAT_NAMES)[number];

/** A resolved name that is no base model. */
export type ExportedModel = Exclude<ResolvedModel, { kind: 'base' }>;

export interface ExportContents {
  readonly model: ExportedModel;
  /** The base's. */
  readonly config: ModelConfig;
  /** Every linear module of the base. */
  readonly modules: readonly LinearModule[];
  /** What is exported, weights and scales folded in. */
  readonly adapter: CanonicalAdapter;
  readonly cut: RankCut | undefined;
  readonly prompt: CompositionPrompt | null;
}

interface Format {
  /** Whether it holds factors: only those can be cut, and only those cannot say a gain. */
  readonly hasFactors: boolean;
  /** Whether only what is for a decoder can be said so. */
  readonly isOfDecoders: boolean;
  /** @throws BraidError GGUF_UNSUPPORTED, or of base-models.errors.ts */
  readonly write: (contents: ExportContents) => Promise<readonly ExportFile[]>;
}

export const FORMATS: Readonly<Record<ExportFormat, Format>> = {
  peft: { hasFactors: true, isOfDecoders: false, write: (contents) => Promise.resolve(writePeft(contents)) },
  gguf: { hasFactors: true, isOfDecoders: true, write: (contents) => Promise.resolve([writeGguf(contents)]) },
  merged: {
    hasFactors: false,
    isOfDecoders: false,
    write: async (contents) => writeModel(contents, 'merged', await mergeWeights(contents)),
  },
  onnx: { hasFactors: false, isOfDecoders: true, write: writeOnnx },
};

function writePeft(contents: ExportContents): readonly ExportFile[] {
  const { model, modules, adapter, cut } = contents;
  const { config, weights } = encodePeftAdapter(adapter, modules, {
    baseModelName: model.baseModel.name,
    // Of a plain adapter the scale is said as it was, so that it is the same to the last bit.
    useRslora: model.kind === 'adapter' && model.version.useRslora && cut === undefined,
  });
  return [
    fileOf('adapter_config.json', [config]),
    fileOf('adapter_model.safetensors', weights),
    cardFile(contents, 'peft'),
    ...promptFiles(contents),
  ];
}

/** @throws BraidError EXPORT_MODEL_UNSUPPORTED */
export function failOnEncoder(model: ExportedModel, { architecture }: ModelConfig, format: ExportFormat, reason = ''): Error {
  const allowed = FORMAT_NAMES.filter((name) => name !== format && !FORMATS[name].isOfDecoders);
  return fail('EXPORT_MODEL_UNSUPPORTED', { name: model.version.repository.fullName, architecture, format, reason, allowed });
}

function decoderOf({ model, config }: ExportContents, format: ExportFormat): DecoderConfig {
  if (isSeq2Seq(config)) throw failOnEncoder(model, config, format);
  return config;
}

function writeGguf(contents: ExportContents): ExportFile {
  const { model, modules, adapter } = contents;
  const config = decoderOf(contents, 'gguf');
  const { repository, version } = model.version;
  return fileOf('adapter.gguf', encodeGgufLora(adapter, modules, config, `${repository.fullName}@${version}`));
}

async function mergeWeights({ model, config, modules, adapter }: ExportContents): Promise<MergedWeights> {
  const { directory } = model.baseModel;
  const weights = await createMergedWeights({ adapter, modules, directory, isTied: config.hasTiedEmbeddings });
  // Whether outputs are scaled follows from what is tied, and transformers has said so in two ways.
  if (weights.isParted && isSeq2Seq(config))
    throw failOnEncoder(model, config, 'merged', ', because it parts the output layer from the embedding');
  return weights;
}

async function writeModel(contents: ExportContents, format: 'merged' | 'onnx', weights: MergedWeights): Promise<readonly ExportFile[]> {
  return [...(await createMergedFiles(weights, contents.model.baseModel)), cardFile(contents, format), ...promptFiles(contents)];
}

async function writeOnnx(contents: ExportContents): Promise<readonly ExportFile[]> {
  const config = decoderOf(contents, 'onnx');
  const weights = await mergeWeights(contents);
  return [createOnnxFile(weights, config), ...(await writeModel(contents, 'onnx', weights))];
}

/** An adapter's own card where it is the adapter itself that is exported. */
function cardFile({ model, cut, prompt }: ExportContents, format: 'peft' | 'merged' | 'onnx'): ExportFile {
  const { version } = model;
  const isItself = model.kind === 'adapter' && format === 'peft' && cut === undefined && model.version.card !== '';
  const text = isItself
    ? model.version.card
    : writeCard({
        name: `${version.repository.fullName}@${version.version}`,
        base: model.baseModel.name,
        format,
        description: version.description,
        tags: version.tags,
        ...(model.kind === 'composition' && { composition: model.version }),
        promptExamples: prompt?.examples.length ?? 0,
        ...(cut && { cut }),
      });
  return fileOf('README.md', [Buffer.from(text)]);
}

/** The examples that a composition expects in front of every request, as it was composed with them. */
function promptFiles({ prompt }: ExportContents): readonly ExportFile[] {
  if (prompt === null) return [];
  return [fileOf('prompt.jsonl', [Buffer.from(prompt.examples.map((example) => `${JSON.stringify(example)}\n`).join(''))])];
}
