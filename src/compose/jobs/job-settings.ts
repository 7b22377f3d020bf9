// What of a job's request is neither candidates nor examples: kept in the recipe, so that the same can be asked for again.
import type { JobRequest } from './compose-job.entity.js';
import type { Recipe } from '../report.js';
import { showRewardUrl } from '../rewards/reward-url.js';

export type JobSettings = Omit<JobRequest, 'candidates' | 'retrieval' | 'examples' | 'examplesDigest' | 'warmStart'>;

/** A recipe as it is stored with a composition; those of composition versions that no job made have no settings. */
export type KeptRecipe = Recipe & { readonly settings?: JobSettings };

export function settingsOf(request: JobRequest): JobSettings {
  const {
    candidates: _candidates,
    retrieval: _retrieval,
    examples: _examples,
    examplesDigest: _digest,
    warmStart: _warmStart,
    ...settings
  } = request;
  return settings;
}

/** As clients see it: what a URL holds behind its path may be a key. */
export function showRecipe(recipe: KeptRecipe): KeptRecipe {
  const { settings } = recipe;
  if (settings?.reward === undefined) return recipe;
  return { ...recipe, settings: { ...settings, reward: showRewardUrl(settings.reward) } };
}
