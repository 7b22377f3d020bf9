// The sentences that say what a plan's figures rest on.
import { PAGE_RANK } from '#src/runtime/engine-limits.js';
import { type PlanChoices } from './create-plan.js';
import { type Optimizer } from './plan-training.js';
import { formatOf, isMixed } from './precision.js';

const OPTIMIZER_TEXTS = {
  adamw: 'AdamW with two states',
  'adamw-8bit': 'AdamW with two states of 8 bits',
  sgd: 'SGD without states',
} as const satisfies Record<Optimizer, string>;

export function describeAssumptions(choices: PlanChoices): string[] {
  const { precision, adapterFormat, optimizer, batch, length, hasCheckpointing, storedFormat } = choices;
  const format = formatOf(precision);
  const states = isMixed(precision) ? `, states and a copy of 16-bit weights in fp32` : '';
  const casts = adapterFormat === format ? '' : ', for which PEFT casts the input of each adapted module';
  return [
    `Weights, gradients and activations in ${format}${states}; ${OPTIMIZER_TEXTS[optimizer]}.`,
    `LoRA: the model frozen in ${format}, factors in ${adapterFormat}${casts}; no dropout.`,
    `A step of ${batch} × ${length} tokens, attention that keeps no scores${hasCheckpointing ? ', layers computed again on the way back' : ''}, one device, no accumulation.`,
    'Memory is what the parts hold at the end of the forward pass: no temporaries, fragments or context of the device.',
    `Serving on the CPU: weights in fp32 over an embedding in ${storedFormat}, adapters in pages of rank ${PAGE_RANK}, caches in fp32; a run's own arrays come on top.`,
  ];
}
