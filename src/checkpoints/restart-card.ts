// README.md of a chain of restarts: which they were, so that whoever finds the adapter knows what its rank is made of.
import { stringify } from 'yaml';
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import type { Digest } from '#src/ids/ids.js';

/** One of the chain. */
export interface Restart {
  /** The folder's own name. */
  readonly name: string;
  readonly adapter: CanonicalAdapter;
  readonly digest: Digest;
}

/** @param own the card of the last restart; empty where it has none */
export function writeRestartCard(restarts: readonly Restart[], own: string, base: string): string {
  const rows = restarts.map(({ name, adapter, digest }, i) => {
    const ranks = adapter.modules.map(({ rank }) => rank);
    const [low, high] = [Math.min(...ranks), Math.max(...ranks)];
    return `| ${i + 1} | ${cell(name)} | ${low === high ? low : `${low}–${high}`} | ${adapter.modules.length} | \`${digest}\` |`;
  });
  const matter = { base_model: base, library_name: 'peft', tags: ['lora', 'relora'] };
  const front = own.trim() === '' ? `---\n${stringify(matter)}---` : own.trimEnd();
  return `${front}

## Restarts

One LoRA of a chain of merge-and-restart factors ([ReLoRA](https://arxiv.org/abs/2307.05695)), their directions side by side: ΔW = Σ sᵢ·BᵢAᵢ.

| restart | folder | rank | modules | digest |
| ------- | ------ | ---- | ------- | ------ |
${rows.join('\n')}
`;
}

/** A folder may be called anything. */
function cell(name: string): string {
  return name.replace(/[\p{Cc}|\\`<>[\]]/gu, '_').slice(0, 120);
}
