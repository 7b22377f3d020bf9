// `braid extract`: a fully trained or merged checkpoint minus its base becomes a LoRA, on this machine; then it is published, or written.
import { access } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { type Extraction } from '#src/checkpoints/extract-adapter.js';
import { MAX_RANK } from '#src/checkpoints/max-rank.js';
import { type Digest } from '#src/ids/ids.js';
import { createMadeForm, type MadeAdapter } from '../adapter-form.js';
import { asCliError, CliError, EXIT } from '../cli-error.js';
import { createEvalProgress } from '../eval-progress.js';
import { evaluateModels, nameOfFile } from '../evaluate-models.js';
import { Invocation, type CliContext } from '../invocation.js';
import { collect, realNumber, repoName, version, wholeNumber } from '../options.js';
import { sendForm } from '../publish-form.js';
import { readExamples } from '../read-examples.js';
import { renderPublished } from '../render/adapters.js';
import { renderEvaluations } from '../render/evaluations.js';
import { renderExtraction } from '../render/extraction.js';
import { makeFolder, writeAdapter } from '../write-adapter.js';

interface ExtractOptions {
  readonly base: string;
  readonly name?: string;
  readonly rank?: number;
  readonly energy?: number;
  readonly baseDir?: string;
  readonly out?: string;
  readonly ignoreOthers?: boolean;
  readonly version?: string;
  readonly tag?: readonly string[];
  /** A path. */
  readonly examples?: string;
  readonly against?: string;
  readonly seed: number;
}

export function registerExtract(program: Command, context: CliContext): void {
  program
    .command('extract')
    .summary('cut a LoRA out of a fully trained or merged checkpoint')
    .description(
      'Take the base from a fully trained or merged checkpoint and cut what is left, module by module, to a rank: an ordinary LoRA, published or written as a PEFT folder. Both models are read from this machine, one module at a time.',
    )
    .argument('<checkpoint>', 'its Hugging Face folder')
    .requiredOption('--base <org/name>', 'the base model that it was trained from', repoName)
    .option('--name <ns/name>', 'publish it under this name', repoName)
    .option('--out <dir>', 'write it there, as PEFT saves adapters')
    .addOption(new Option('--rank <r>', 'of every module').argParser(wholeNumber(1, MAX_RANK)).conflicts('energy'))
    .addOption(new Option('--energy <share>', "the least rank that keeps this share of each module's ‖ΔW‖²").argParser(realNumber(0.01, 1)))
    .option('--base-dir <dir>', "the base's folder (default: where the hub has it, if that is on this machine)")
    .option('--ignore-others', 'norms and biases may differ; what they did is lost')
    .option('--version <version>', 'semantic version (default: the next minor, or 1.0.0)', version)
    .option('-t, --tag <tag>', 'a tag; may be repeated', collect)
    .option('--examples <file>', 'measure base and result on these JSON lines, and show the change of loss')
    .option('--against <org/name>', 'with --examples: the whole checkpoint as a base model of the hub, measured too', repoName)
    .option('--seed <n>', 'of the random vectors', wholeNumber(0, 2 ** 31), 1)
    .addHelpText(
      'after',
      '\nExample:\n  braid extract ./my-finetune --base hf/smollm2 --name acme/my-finetune --rank 16 --examples test.jsonl',
    )
    .action(async (checkpoint: string, options: ExtractOptions, command: Command) => {
      assertUsage(options);
      const invocation = new Invocation(context, command);
      const { base, name, out, examples: file } = options;
      const examples = file === undefined ? [] : await readExamples(file);
      if (out !== undefined) await makeFolder(out);
      const { extraction, made } = await extract(invocation, checkpoint, options).catch((error: unknown) => {
        throw asCliError(error);
      });
      if (out !== undefined) {
        await writeAdapter(out, made);
        invocation.note(`Wrote ${out}`);
      }
      const { adapter: _adapter, ...figures } = extraction;
      const { style } = invocation.terminal;
      if (name === undefined) {
        invocation.show(figures, () => renderExtraction(figures, style));
        return;
      }
      const published = await sendForm(
        invocation,
        name,
        await createMadeForm(made, { name, base, version: options.version, tags: options.tag }),
      );
      const models = [base, `${published.name}@${published.version}`, ...(options.against === undefined ? [] : [options.against])];
      const measured = file === undefined ? undefined : await evaluateModels(invocation, models, { name: nameOfFile(file), examples });
      invocation.show({ ...figures, published, ...measured }, () =>
        [
          renderExtraction(figures, style),
          renderPublished(published, style),
          ...(measured === undefined ? [] : [renderEvaluations(measured.evaluations, measured.differences, invocation.terminal)]),
        ].join('\n'),
      );
    });
}

/** @throws CliError USAGE */
function assertUsage({ name, out, rank, energy, examples, against }: ExtractOptions): void {
  const wrong =
    rank === undefined && energy === undefined
      ? 'Say how much to keep: --rank R or --energy SHARE'
      : name === undefined && out === undefined
        ? 'Say what becomes of it: --name ns/name publishes it, --out DIR writes it'
        : examples !== undefined && name === undefined
          ? '--examples measures what is published: give --name as well'
          : against !== undefined && examples === undefined
            ? '--against is measured on --examples: give them as well'
            : undefined;
  if (wrong !== undefined) throw new CliError('USAGE', `${wrong}. See "braid extract --help".`, EXIT.usage);
}

async function extract(
  invocation: Invocation,
  checkpoint: string,
  { base: name, name: wanted, baseDir, rank, energy = 1, ignoreOthers = false, seed }: ExtractOptions,
): Promise<{ readonly extraction: Extraction; readonly made: MadeAdapter }> {
  // The readers of models and adapters are loaded by this alone: other commands start without them.
  const [{ loadPair }, { extractAdapter }, { createExtractionFiles }] = await Promise.all([
    import('#src/checkpoints/load-pair.js'),
    import('#src/checkpoints/extract-adapter.js'),
    import('#src/checkpoints/extraction-files.js'),
  ]);
  // Without a hub to publish on, the folder alone says what the base is.
  const known = wanted === undefined && baseDir !== undefined ? undefined : await invocation.hub.getBaseModel(name);
  const baseDirectory = baseDir ?? (await findDirectory(name, known?.directory ?? ''));
  invocation.note(`Reading ${name} and ${checkpoint} …`);
  const expected = known === undefined ? {} : { expected: { name, digest: known.digest as Digest } };
  const { base, checkpoint: trained } = await loadPair({ baseDirectory, checkpointDirectory: checkpoint, ...expected });
  const progress = createEvalProgress(invocation.terminal, 'extract', 'modules');
  try {
    const extraction = await extractAdapter({
      base,
      checkpoint: trained,
      target: rank === undefined ? { energy, maxRank: MAX_RANK } : { rank },
      ignoresOthers: ignoreOthers,
      seed,
      onProgress: (done, total) => progress.update({ status: 'running', evaluated: done, total }),
    });
    return { extraction, made: createExtractionFiles(extraction, base.config, name) };
  } finally {
    progress.stop();
  }
}

/** @throws CliError BASE_NOT_HERE */
async function findDirectory(name: string, directory: string): Promise<string> {
  try {
    await access(directory);
    return directory;
  } catch (cause) {
    throw new CliError(
      'BASE_NOT_HERE',
      `The hub has ${name} in ${directory}, which is not on this machine: give its folder with --base-dir.`,
      undefined,
      {
        cause,
      },
    );
  }
}
