// What a model's name puts in front of a request.
import { type CompositionPrompt, type CompositionVersion } from './composition-version.entity.js';
import { type PromptSize, type ResolvedModel } from './registry.types.js';

/** Only compositions of the prompted model have one. */
export function promptOfModel(model: ResolvedModel): CompositionPrompt | null {
  return model.kind === 'composition' ? promptOfVersion(model.version) : null;
}

export function promptOfVersion({ prompt, promptTokens }: CompositionVersion): CompositionPrompt | null {
  return prompt === null ? null : { examples: prompt, tokens: promptTokens ?? 0 };
}

export function sizeOfPrompt({ examples, tokens }: CompositionPrompt): PromptSize {
  return { examples: examples.length, tokens };
}
