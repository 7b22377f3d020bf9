// llama.cpp as a peer: its own benchmark over batches of rows, on GGUF files of the same model.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Rates } from '../bench-engine.js';

const TOOL = 'llama-batched-bench';
/** Without Q4_0, int4 is held against Q8_0. */
const NEEDED = ['f32', 'q8_0'];

export interface LlamaCppFiles {
  readonly tool: string;
  /** GGUF file by kind, in lower case: f32, q8_0, q4_0. */
  readonly models: ReadonlyMap<string, string>;
}

/** The tool and its models; undefined where there are none. One line says what is then not measured, and how to set it up. */
export function findLlamaCpp(binaries: string, models: string, say: (line: string) => void): LlamaCppFiles | undefined {
  const tool = join(binaries, TOOL);
  const found = new Map<string, string>();
  for (const name of existsSync(models) ? readdirSync(models) : []) {
    const kind = /(?:^|[-_.])(f32|q8_0|q4_0)\.gguf$/i.exec(name)?.[1];
    if (kind !== undefined) found.set(kind.toLowerCase(), join(models, name));
  }
  if (!existsSync(tool)) {
    say(`llama.cpp is not measured: there is no ${TOOL} in ${binaries}; build it (--target ${TOOL}) and name its folder with --llama-cpp.`);
    return undefined;
  }
  const missing = NEEDED.filter((kind) => !found.has(kind));
  if (missing.length > 0)
    say(
      `llama.cpp is not measured in ${missing.join(' and ')}: there is no …-${missing.join('.gguf or …-')}.gguf in ${models}; make it with convert_hf_to_gguf.py MODEL --outtype KIND and name its folder with --gguf.`,
    );
  return found.size > 0 ? { tool, models: found } : undefined;
}

/** @returns rates by number of rows */
export async function measureLlamaCpp(tool: string, model: string, threads: number, rows: readonly number[]): Promise<Map<number, Rates>> {
  const shape = ['-c', '2048', '-npp', '128', '-ntg', '64', '-npl', rows.join()];
  const { stdout } = await promisify(execFile)(tool, ['-m', model, '-t', String(threads), ...shape]);
  const rates = parseBatchedBench(stdout);
  for (const count of rows) if (!rates.has(count)) throw new Error(`${TOOL} printed no line for ${count} rows:\n${stdout}`);
  return rates;
}

/** The table that the tool prints: columns by the names in its head, one line a number of rows (B). */
export function parseBatchedBench(text: string): Map<number, Rates> {
  const lines = text.split('\n').filter((line) => line.trim().startsWith('|'));
  const [head = [], ...body] = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  const cell = (line: readonly string[], name: string): number => Number(line[head.indexOf(name)] ?? NaN);
  return new Map(
    body
      .filter((line) => cell(line, 'B') > 0)
      .map((line) => [cell(line, 'B'), { prefill: cell(line, 'S_PP t/s'), decode: cell(line, 'S_TG t/s') }]),
  );
}
