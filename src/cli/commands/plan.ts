// `braid plan`: what full fine-tuning and LoRA of a model would take, before anything is downloaded or trained.
import { Option, type Command } from 'commander';
import { settings } from '#src/config/settings.js';
import { ALL_LINEAR } from '#src/plan/adapted-modules.js';
import { createPlan, PLAN_LIMITS, type Plan, type PlanRequest } from '#src/plan/create-plan.js';
import { OPTIMIZERS, type Optimizer } from '#src/plan/plan-training.js';
import { FORMATS, PRECISIONS, type NumberFormat, type Precision } from '#src/plan/precision.js';
import { asCliError } from '../cli-error.js';
import { Invocation, type CliContext } from '../invocation.js';
import { targetList, wholeNumber } from '../options.js';
import { readConfig } from '../read-config.js';
import { renderPlan } from '../render/plan.js';

interface PlanOptions {
  readonly base: string;
  readonly rank: number;
  readonly targets?: readonly string[];
  readonly adapters: number;
  readonly precision: Precision;
  readonly adapterPrecision: NumberFormat;
  readonly optimizer: Optimizer;
  readonly gradientCheckpointing?: boolean;
  readonly batch: number;
  readonly length?: number;
  readonly rows: number;
  readonly context?: number;
  /** MiB. */
  readonly adapterMemory: number;
}

export function registerPlan(program: Command, context: CliContext): void {
  const { rank, adapters, batch, length, rows, adapterMemoryMb } = PLAN_LIMITS;
  program
    .command('plan')
    .summary('what training and serving would take')
    .description(
      'Say from config.json alone what full fine-tuning and LoRA of a model would take: parameters, files, memory for training and for serving. Needs no hub for a file or folder.',
    )
    .requiredOption('--base <path|name>', 'a config.json, a model folder, or a base model of the hub')
    .option('--rank <r>', "the factors' rank", wholeNumber(1, rank), 8)
    .option('--targets <a,b>', `adapted modules: names as in PEFT's target_modules, or ${ALL_LINEAR} (default: ${ALL_LINEAR})`, targetList)
    .option('--adapters <n>', 'how many to keep and serve', wholeNumber(1, adapters), 1)
    .addOption(new Option('--precision <name>', 'of training').choices(PRECISIONS).default('bf16'))
    .addOption(new Option('--adapter-precision <name>', "of the factors; PEFT's own default is fp32").choices(FORMATS).default('fp32'))
    .addOption(new Option('--optimizer <name>', 'its states take memory').choices(OPTIMIZERS).default('adamw'))
    .option('--gradient-checkpointing', "keep the layers' inputs alone, and compute each layer again on the way back")
    .option('--batch <n>', 'sequences in a step', wholeNumber(1, batch), 1)
    .option('--length <n>', "tokens of each (default: 1024, at most the model's context)", wholeNumber(1, length))
    .option('--rows <n>', 'rows that are served together', wholeNumber(1, rows), Number(settings.maxBatchRows.default))
    .option('--context <n>', "tokens in each row's cache (default: 2048, at most the model's context)", wholeNumber(1, length))
    .option(
      '--adapter-memory <MiB>',
      `set aside for adapters, as ${settings.adapterMemoryBytes.variable}`,
      wholeNumber(1, adapterMemoryMb),
      Number(settings.adapterMemoryBytes.default),
    )
    .addHelpText('after', '\nExample:\n  braid plan --base ./Llama-2-7b-hf --rank 8 --targets q_proj,v_proj --adapters 1000')
    .action(async (options: PlanOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const plan = planFor(await readConfig(options.base, invocation.hub), options);
      invocation.show(plan, () => renderPlan(options.base, plan, invocation.terminal));
    });
}

/** @throws CliError with the codes of src/plan/plan.errors.ts */
function planFor(json: unknown, options: PlanOptions): Plan {
  const { rank, targets = [ALL_LINEAR], adapters, precision, adapterPrecision, optimizer, batch, length, rows, context } = options;
  const request: PlanRequest = {
    ...{ rank, targets, adapters, precision, optimizer, batch, rows },
    adapterFormat: adapterPrecision,
    hasCheckpointing: options.gradientCheckpointing ?? false,
    adapterMemoryBytes: options.adapterMemory * 2 ** 20,
    ...(length === undefined ? {} : { length }),
    ...(context === undefined ? {} : { context }),
  };
  try {
    return createPlan(json, request);
  } catch (error) {
    throw asCliError(error);
  }
}
