// Which function does each stage of a composition, by name; a strategy is a whole set of them, and every stage can be replaced alone.
import { failCompose } from './compose.errors.js';

export const SCREENS = ['halving', 'all', 'none'] as const;
export const SEARCHES = ['surrogate', 'cma-es', 'cobyla', 'forward', 'random'] as const;
export const PRUNES = ['attribution', 'none'] as const;
export const VALIDATIONS = ['cross-validation', 'held-out', 'none'] as const;

/** The stages by the name of what does them. */
export interface Strategy {
  /** The candidates alone, and which of them are worth the search. */
  readonly screen: (typeof SCREENS)[number];
  /** How weights are searched in the span of the kept ones. */
  readonly search: (typeof SEARCHES)[number];
  /** Which weights earn their place. */
  readonly prune: (typeof PRUNES)[number];
  /** Whether what was learned holds for examples that were not searched on. */
  readonly validate: (typeof VALIDATIONS)[number];
}

/** Whole strategies. `weave` is the default; docs/compose.md has the evidence. */
export const PRESETS = {
  weave: { screen: 'halving', search: 'surrogate', prune: 'attribution', validate: 'cross-validation' },
  'select-then-search': { screen: 'all', search: 'cma-es', prune: 'none', validate: 'none' },
  // LoraHub to the letter: no screening, COBYLA (what Nevergrad's NGOpt picks at this size) from 0 over all candidates.
  lorahub: { screen: 'none', search: 'cobyla', prune: 'none', validate: 'none' },
} as const satisfies Record<string, Strategy>;

/** With more examples than this a part of them can be spared to judge by. */
export const MOST_CROSS_VALIDATED = 40;

export const DEFAULT_BUDGET = 200;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
export const DEFAULT_PRESET: PresetName = 'weave';

const STAGES = { screen: SCREENS, search: SEARCHES, prune: PRUNES, validate: VALIDATIONS } as const;

/**
 * `weave`, `weave,search=cma-es` or `search=cma-es,prune=none`: a preset (the default one where none is named), then single stages.
 * @throws BraidError STRATEGY_UNKNOWN
 */
export function parseStrategy(text: string): Strategy {
  let strategy: Strategy = PRESETS[DEFAULT_PRESET];
  for (const [i, part] of text.split(',').entries()) {
    const [stage = '', method] = part.trim().split('=');
    if (method === undefined) {
      if (i > 0 || !isPreset(stage)) throw unknown(stage, i > 0 ? Object.keys(STAGES).map((name) => `${name}=…`) : PRESET_NAMES);
      strategy = PRESETS[stage];
      continue;
    }
    if (!isStage(stage)) throw unknown(stage, Object.keys(STAGES));
    const methods: readonly string[] = STAGES[stage];
    if (!methods.includes(method)) throw unknown(`${stage}=${method}`, methods);
    strategy = { ...strategy, [stage]: method };
  }
  return strategy;
}

/**
 * `parseStrategy` for these examples: where the text leaves validation open and there are many of them, a part is held out instead of
 * cross-validating; not with shots, since the first examples stand in front of all others.
 * @throws BraidError STRATEGY_UNKNOWN
 */
export function chooseStrategy(
  text: string,
  { examples, shots }: { readonly examples: number; readonly shots?: number | undefined },
): Strategy {
  const strategy = parseStrategy(text);
  const isOpen = strategy.validate === 'cross-validation' && !text.split(',').some((part) => part.trim().startsWith('validate='));
  return isOpen && shots === undefined && examples > MOST_CROSS_VALIDATED ? { ...strategy, validate: 'held-out' } : strategy;
}

/** The same strategy with its validation named, so that `chooseStrategy` leaves it as it is. @throws BraidError STRATEGY_UNKNOWN */
export function spellValidation(text: string): string {
  return `${text},validate=${parseStrategy(text).validate}`;
}

/** Evaluations where none are asked for: LoraHub's forty and what base and uniform mixture cost, or enough for a search of our own. */
export function defaultBudget(strategy: Strategy): number {
  return strategy.screen === 'none' && strategy.search === 'cobyla' ? 42 : DEFAULT_BUDGET;
}

/** Every stage with its methods, for descriptions. */
export function describeStages(): string {
  return Object.entries(STAGES)
    .map(([stage, methods]) => `${stage}=${methods.join('|')}`)
    .join(', ');
}

/** The shortest text that `parseStrategy` makes the same strategy of. */
export function nameStrategy(strategy: Strategy): string {
  const same = PRESET_NAMES.find((name) =>
    Object.entries(PRESETS[name]).every(([stage, method]) => strategy[stage as keyof Strategy] === method),
  );
  return (
    same ??
    Object.entries(strategy)
      .map(([stage, method]) => `${stage}=${String(method)}`)
      .join(',')
  );
}

function isPreset(name: string): name is PresetName {
  return Object.hasOwn(PRESETS, name);
}

function isStage(name: string): name is keyof Strategy {
  return Object.hasOwn(STAGES, name);
}

function unknown(found: string, allowed: readonly string[]): Error {
  return failCompose('STRATEGY_UNKNOWN', { found: found.slice(0, 80), allowed: allowed.join(', ') });
}
