// Embeds task texts by the real model, as signatures do, and keeps the vectors in the cache: the model is the same, and so are they.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeFloat32, encodeFloat32 } from '#src/database/columns.js';
import { digestOf } from '#src/ids/ids.js';
import { SIGNATURE_METHOD } from '#src/signatures/signature-method.js';
import { createExampleRows } from '#src/signatures/signature-rows.js';
import { type Engine } from '#src/runtime/engine.js';
import { parseExamples, tokenizeExamples } from '#src/tokenizer/examples.js';
import { type TextCodec } from '#src/tokenizer/text-codec.js';
import { type TaskExample } from './synthetic-tasks.js';

// Texts of a call: a progress line each, some seconds.
const CALL_ROWS = 256;

export interface TaskEmbedder {
  readonly engine: Engine;
  readonly codec: TextCodec;
  readonly cacheDirectory: string;
  readonly say: (line: string) => void;
}

/** One vector per example; at most as many examples a task as a signature reads. */
export async function embedTasks(tasks: readonly (readonly TaskExample[])[], embedder: TaskEmbedder): Promise<Float32Array[][]> {
  const { engine, codec, cacheDirectory, say } = embedder;
  const rows = tasks.map((examples) =>
    createExampleRows(tokenizeExamples(parseExamples(examples), codec, engine.contextLength), codec, engine),
  );
  const all = rows.flat();
  const key = digestOf(SIGNATURE_METHOD, JSON.stringify(all)).slice(-16);
  const file = join(cacheDirectory, `task-embeddings-${key}.f32`);
  const vectors = existsSync(file) ? split(decodeFloat32(readFileSync(file)), engine.hiddenSize) : [];
  if (vectors.length === 0) {
    for (let start = 0; start < all.length; start += CALL_ROWS) {
      vectors.push(...(await engine.embed(all.slice(start, start + CALL_ROWS))));
      if (all.length > CALL_ROWS) say(`  ${vectors.length} of ${all.length} texts`);
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.concat(vectors.map(encodeFloat32)));
  }
  let first = 0;
  return rows.map((one) => vectors.slice(first, (first += one.length)));
}

function split(values: Float32Array, size: number): Float32Array[] {
  return Array.from({ length: values.length / size }, (_, i) => values.slice(i * size, (i + 1) * size));
}
