// A GGUF LoRA of an upload becomes the files that PEFT would have written, so that whatever follows knows one form.
import { createHash, randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { readGgufLora } from '#src/gguf/read-lora.js';
import { digestFromHex } from '#src/ids/ids.js';
import { encodePeftAdapter } from '#src/peft/encode-adapter.js';
import { type BaseModel } from '#src/registry/base-model.entity.js';
import { GGUF_FILE, type UploadedFile, type UploadFileName } from './upload-storage.js';

/**
 * The upload with adapter_config.json and adapter_model.safetensors in place of adapter.gguf, where there is one; they lie beside it.
 * @param made takes the files that were written, for whoever removes them
 * @throws BraidError of gguf.errors.ts
 */
export async function convertGguf(
  files: ReadonlyMap<UploadFileName, UploadedFile>,
  baseModel: BaseModel,
  made: UploadedFile[],
): Promise<ReadonlyMap<UploadFileName, UploadedFile>> {
  const gguf = files.get(GGUF_FILE);
  if (gguf === undefined) return files;
  const baseConfig = parseModelConfig(baseModel.config);
  const modules = listLinearModules(baseConfig);
  const adapter = await readGgufLora(gguf.path, modules, baseConfig, GGUF_FILE);
  const { config, weights } = encodePeftAdapter(adapter, modules, { baseModelName: baseModel.name });
  const folder = dirname(gguf.path);
  for (const [name, pieces] of [
    ['adapter_config.json', [config]],
    ['adapter_model.safetensors', weights],
  ] as const) {
    made.push(await writePieces(name, folder, pieces));
  }
  const others = [...files].filter(([name]) => name !== GGUF_FILE);
  return new Map([...others, ...made.map((file) => [file.name, file] as const)]);
}

async function writePieces(name: UploadFileName, folder: string, pieces: readonly Uint8Array[]): Promise<UploadedFile> {
  const path = join(folder, `braid-upload-${randomUUID()}`);
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  try {
    await writeFile(path, pieces, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return { name, path, sizeBytes: pieces.reduce((sum, { byteLength }) => sum + byteLength, 0), digest: digestFromHex(hash.digest('hex')) };
}
