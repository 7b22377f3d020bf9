// Everything about an upload that can be known without the model: parsed, checked, described. Nothing is stored here.
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { parseAdapterConfig, taskOf, type AdapterConfig } from '#src/peft/adapter-config.js';
import { type BaseModel } from '#src/registry/base-model.entity.js';
import { type BaseModelFiles } from '#src/runtime/sources.js';
import { parseExampleLines, tokenizeExamples } from '#src/tokenizer/examples.js';
import { type TextCodec } from '#src/tokenizer/text-codec.js';
import { inspectAdapter, type AdapterFacts } from './inspect-adapter.js';
import { cleanTags, readCard } from './read-card.js';
import { type UploadedFile, type UploadFileName } from './upload-storage.js';
import { type ProbeRow } from './verify-adapter.js';

export interface PreparedAdapter {
  readonly config: AdapterConfig;
  /** adapter_config.json as it is. */
  readonly rawConfig: Record<string, unknown>;
  readonly facts: AdapterFacts;
  /** README.md as it is, without what a database cannot hold. */
  readonly card: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly examples: readonly ProbeRow[];
  readonly warnings: readonly string[];
}

/**
 * @param tags of the request; the card's come after them
 * @param loadBase the base model's files, where its weights must be looked at
 * @throws BraidError of peft.errors.ts, safetensors.errors.ts or examples.errors.ts
 */
export async function prepareAdapter(
  files: ReadonlyMap<UploadFileName, UploadedFile>,
  baseModel: BaseModel,
  codec: TextCodec,
  tags: readonly string[],
  loadBase: () => Promise<BaseModelFiles>,
): Promise<PreparedAdapter> {
  const configBytes = await readUpload(files, 'adapter_config.json');
  const modules = listLinearModules(parseModelConfig(baseModel.config));
  const config = parseAdapterConfig(configBytes, taskOf(modules));
  const examples = files.has('examples.jsonl') ? parseExampleLines((await readUpload(files, 'examples.jsonl')).toString('utf8')) : [];
  const tokenized: ProbeRow[] = [];
  for (const example of examples) {
    tokenized.push(...tokenizeExamples([example], codec, baseModel.contextLength));
    // Long texts take their time; requests are served in between.
    await setImmediate();
  }
  const weights = files.get('adapter_model.safetensors');
  if (weights === undefined) throw new Error('an upload without weights');
  const facts = await inspectAdapter(weights.path, config, modules, loadBase);
  // PostgreSQL's text holds every character but NUL.
  const text = files.has('README.md') ? (await readUpload(files, 'README.md')).toString('utf8').replaceAll('\0', '') : '';
  const card = readCard(text);
  return {
    config,
    rawConfig: JSON.parse(configBytes.toString('utf8')) as Record<string, unknown>,
    facts,
    card: text,
    description: card.description,
    tags: cleanTags([...tags, ...card.tags]),
    examples: tokenized,
    warnings: [...describeOtherBase(config, baseModel), ...card.warnings],
  };
}

async function readUpload(files: ReadonlyMap<UploadFileName, UploadedFile>, name: UploadFileName): Promise<Buffer> {
  const file = files.get(name);
  if (file === undefined) throw new Error(`an upload without ${name}`);
  return readFile(file.path);
}

/** People rename models, so another name is only worth a word; shapes decide. */
function describeOtherBase({ baseModelName }: AdapterConfig, { name }: BaseModel): string[] {
  if (baseModelName === undefined || baseModelName === name) return [];
  return [`adapter_config.json names ${JSON.stringify(baseModelName)} as its base model; it is published for ${name}.`];
}
