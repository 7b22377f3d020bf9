// README.md of an export, as the Hugging Face Hub has cards: where it comes from and how it is used.
import { stringify } from 'yaml';
import { type CompositionVersion } from '#src/registry/composition-version.entity.js';
import { type RankCut } from './cut-adapter.js';

export interface CardFacts {
  /** ns/name@version */
  readonly name: string;
  readonly base: string;
  readonly format: 'peft' | 'merged' | 'onnx';
  readonly description: string;
  readonly tags: readonly string[];
  /** Of a composition. */
  readonly composition?: Pick<CompositionVersion, 'space' | 'parts'>;
  /** Few-shot examples that a composition expects in front of every request. */
  readonly promptExamples: number;
  readonly cut?: RankCut;
}

const USES = {
  peft: (base: string) => `\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM

model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(${JSON.stringify(base)}), ".")
\`\`\``,
  merged: () => `\`\`\`python
from transformers import AutoModelForCausalLM, AutoTokenizer

model, tokenizer = AutoModelForCausalLM.from_pretrained("."), AutoTokenizer.from_pretrained(".")
\`\`\``,
  onnx: () => `\`\`\`python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
[logits] = session.run(None, {"input_ids": np.array([[1, 2, 3]])})
\`\`\`

Rows of several lengths are padded at the right, with any token. The weights are in the safetensors files beside model.onnx.`,
} as const;

export function writeCard({ name, base, format, description, tags, composition, promptExamples, cut }: CardFacts): string {
  const matter = {
    base_model: base,
    library_name: { peft: 'peft', merged: 'transformers', onnx: 'onnx' }[format],
    pipeline_tag: 'text-generation',
    tags: [...new Set([...tags, ...(format === 'peft' ? ['lora'] : [])])],
  };
  const paragraphs = [
    `# ${name}`,
    description,
    format === 'peft'
      ? `A LoRA adapter for ${base}, exported by Braid.`
      : `${base} with ${name} merged into its weights, exported by Braid.`,
    composition && describeParts(composition),
    cut && `Cut to rank ${cut.rank} by singular values: it differs from the original by ${percent(cut.error)} of its norm.`,
    promptExamples > 0 &&
      `It was composed for requests that begin with the examples in prompt.jsonl (${promptExamples}); without them in front it answers worse.`,
    USES[format](base),
  ];
  return `---\n${stringify(matter)}---\n\n${paragraphs.filter((text) => text !== undefined && text !== false && text !== '').join('\n\n')}\n`;
}

function describeParts({ space, parts }: Pick<CompositionVersion, 'space' | 'parts'>): string {
  const formula = space === 'factor' ? '(Σ wᵢ·sᵢ·Bᵢ)·(Σ wᵢ·Aᵢ)' : 'Σ wᵢ·ΔWᵢ';
  const rows = parts.map(({ adapter, version, weight }) => `| ${adapter}@${version} | ${weight} |`);
  return [`Composed of these adapters as ${formula}:`, '', '| adapter | weight |', '| --- | --- |', ...rows].join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(3)} %`;
}
