// Token counts of a request, as both APIs report them.
import type { IndexedPiece } from '#src/serve/run-plan.js';
import type { GenerationPlan } from '#src/serve/plan-generation.js';

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** Counts as pieces come. A prompt counts once, however many answers it has. */
export class UsageCounter {
  private readonly promptTokens: number;
  private completionTokens = 0;

  constructor(plan: GenerationPlan) {
    this.promptTokens = plan.prompts.reduce((sum, { ids }) => sum + ids.length, 0);
  }

  add({ piece }: IndexedPiece): void {
    this.completionTokens += piece.generatedTokens;
  }

  get usage(): Usage {
    return {
      prompt_tokens: this.promptTokens,
      completion_tokens: this.completionTokens,
      total_tokens: this.promptTokens + this.completionTokens,
    };
  }
}
