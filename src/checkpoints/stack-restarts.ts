// A chain of merge-and-restart factors as one LoRA: after each restart of ReLoRA the factors before were merged into the base, so that the whole
// training is the sum of all of them.
import { basename, join, resolve } from 'node:path';
import { concatenateFactors } from '#kernels/lora/concatenate-factors.js';
import type { LinearModule } from '#kernels/lora/modules.js';
import { placeFactors } from '#kernels/lora/place-factors.js';
import { FileRefusedError, readSmallFile } from '#src/base-models/read-small-file.js';
import { BraidError } from '#src/http/braid-error.js';
import { type AdapterConfig, MAX_CONFIG_BYTES, parseAdapterConfig, taskOf } from '#src/peft/adapter-config.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { MAX_RANK } from '#src/peft/config-fields.js';
import { type EncodedAdapter, encodePeftAdapter } from '#src/peft/encode-adapter.js';
import { readPeftAdapter } from '#src/peft/read-adapter.js';
import { variants } from '#src/peft/variants/variants.js';
import { fail } from './checkpoints.errors.js';
import { type Restart, writeRestartCard } from './restart-card.js';

export interface StackedRestarts {
  readonly encoded: EncodedAdapter;
  /** README.md: the last restart's own, and what was stacked. */
  readonly card: string;
  /** The largest of its modules' ranks. */
  readonly rank: number;
}

/** Of an adapter's file: what Node reads at once. */
const MAX_WEIGHT_BYTES = 2 ** 31 - 1;
/** Half of what a hub takes: the chain is added to it. */
const MAX_CARD_BYTES = 524_288;

/**
 * ΔW = Σ sᵢ·BᵢAᵢ with ranks added up (ReLoRA, Lialin et al. 2023, arXiv:2307.05695, section 3).
 * @param directories PEFT adapters, at least one, in the order of training
 * @param modules every linear module of the base
 * @throws BraidError RESTART_INVALID, RESTARTS_RANK_TOO_LARGE
 */
export async function stackRestarts(
  directories: readonly string[],
  modules: readonly LinearModule[],
  baseModelName: string,
): Promise<StackedRestarts> {
  const restarts: Restart[] = [];
  for (const directory of directories) {
    const restart = await readRestart(directory, modules);
    const twin = restarts.find(({ digest }) => digest === restart.digest);
    // It would count twice.
    if (twin !== undefined) throw fail('RESTART_INVALID', { directory, reason: `it holds the same factors as ${twin.name}` });
    restarts.push(restart);
  }
  const stacked = concatenateFactors(
    restarts.map(({ adapter }) => ({ adapter, weight: 1 })),
    modules,
  );
  for (const { module, factors } of placeFactors(stacked, modules)) {
    if (factors.rank > MAX_RANK) throw fail('RESTARTS_RANK_TOO_LARGE', { found: factors.rank, path: module.path, allowed: MAX_RANK });
  }
  const own = await readCard(directories.at(-1) ?? '');
  return {
    encoded: encodePeftAdapter(stacked, modules, { baseModelName }),
    card: writeRestartCard(restarts, own, baseModelName),
    rank: Math.max(...stacked.modules.map(({ rank }) => rank)),
  };
}

async function readRestart(directory: string, modules: readonly LinearModule[]): Promise<Restart> {
  const invalid = (reason: string, cause?: unknown) => fail('RESTART_INVALID', { directory, reason }, cause);
  try {
    const config = parseAdapterConfig(await readSmallFile(join(directory, 'adapter_config.json'), MAX_CONFIG_BYTES), taskOf(modules));
    assertSummable(config, invalid);
    const adapter = readPeftAdapter(config, await readSmallFile(join(directory, 'adapter_model.safetensors'), MAX_WEIGHT_BYTES), modules);
    return { name: basename(resolve(directory)), adapter, digest: digestOfAdapter(adapter) };
  } catch (error) {
    if (error instanceof FileRefusedError) throw invalid(`its adapter cannot be read: ${error.message}`, error);
    throw error instanceof BraidError && error.code !== 'RESTART_INVALID' ? invalid(error.message.replace(/\.$/, ''), error) : error;
  }
}

/** What depends on the weights it was trained beside is no sum. */
function assertSummable({ variant, peftType }: AdapterConfig, invalid: (reason: string) => Error): void {
  if (variants[variant].measure === undefined) return;
  throw invalid(`its ${peftType} scales the rows of the weights that it was trained beside, which the next restart has changed`);
}

/** Empty where there is none that a hub would take. */
async function readCard(directory: string): Promise<string> {
  try {
    return (await readSmallFile(join(directory, 'README.md'), MAX_CARD_BYTES)).toString('utf8');
  } catch (error) {
    if (error instanceof FileRefusedError) return '';
    throw error;
  }
}
