// An immutable version of a composition: weighted adapter versions of one base model, with the recipe that found it.
import { Column, Entity } from 'typeorm';
import { type Digest, type RepoName, type Version } from '../ids/ids.js';
import { RepositoryVersion } from './repository-version.js';

/** What weights act on: `delta` is Σ wᵢ·sᵢ·BᵢAᵢ, `factor` is LoraHub's (Σ wᵢ·sᵢ·Bᵢ)(Σ wᵢ·Aᵢ), for adapters of one shape. */
export const SPACES = ['delta', 'factor'] as const;
export type Space = (typeof SPACES)[number];

/** One adapter of a composition and its weight. */
export interface CompositionPart {
  readonly adapter: RepoName;
  readonly version: Version;
  readonly digest: Digest;
  readonly weight: number;
}

/** A message of a chat example. */
export interface PromptMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
}

/** Texts, or messages for the model's chat template. */
export type PromptExample =
  | { readonly prompt: string; readonly completion: string }
  | { readonly prompt: readonly PromptMessage[]; readonly completion: readonly PromptMessage[] };

/** The examples that a composition of the prompted model was composed with, and puts in front of every request. */
export interface CompositionPrompt {
  /** At least one; of one form. */
  readonly examples: readonly PromptExample[];
  /** By how many tokens they lengthen a request. */
  readonly tokens: number;
}

@Entity({ name: 'composition_versions' })
export class CompositionVersion extends RepositoryVersion {
  /** Of space, parts, recipe and prompt. */
  @Column({ type: 'text' })
  digest: Digest;

  @Column({ type: 'text' })
  space: Space;

  @Column({ type: 'jsonb' })
  parts: CompositionPart[];

  /** How the weights were found: seed, examples' digest, optimizer … */
  @Column({ type: 'jsonb' })
  recipe: Record<string, unknown>;

  /** What was measured: losses of base, singles, uniform, result; the curve. */
  @Column({ type: 'jsonb' })
  report: Record<string, unknown>;

  /** Put in front of every request; null: requests are computed as they come. */
  @Column({ type: 'json', nullable: true })
  prompt: readonly PromptExample[] | null;

  /** By how many tokens the prompt lengthens a request. */
  @Column({ name: 'prompt_tokens', type: 'integer', nullable: true })
  promptTokens: number | null;

  @Column({ type: 'text' })
  description: string;

  @Column({ type: 'text', array: true })
  tags: string[];
}
