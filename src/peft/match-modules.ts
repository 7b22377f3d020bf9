// Which modules of a base an adapter's names and patterns speak of: PEFT's check_target_module_exists and get_pattern_key, on patterns of strangers.
import { createContext, runInContext } from 'node:vm';
import { isVocabularyClass, type LinearModule } from '#kernels/lora/modules.js';
import { type AdapterConfig } from './adapter-config.js';
import { fail } from './peft.errors.js';

/** Patterns of a sane adapter take a few milliseconds over all modules; those that backtrack without end are stopped here. */
const MATCH_TIMEOUT_MS = 300;

/**
 * The modules that target_modules, exclude_modules and layers_to_transform choose, in the base's order.
 * @throws BraidError ADAPTER_PATTERN_INVALID
 */
export function findTargetModules(
  config: Pick<AdapterConfig, 'targets' | 'excluded' | 'layers' | 'layersPatterns'>,
  modules: readonly LinearModule[],
): readonly LinearModule[] {
  const excluded = new Set(findByName(config.excluded, modules, 'exclude_modules'));
  const targets = findByName(config.targets, modules, 'target_modules').filter((module) => !excluded.has(module));
  // PEFT limits layers only where the targets are names.
  if (typeof config.targets === 'string' || config.layers === undefined) return targets;
  const layers = new Set(config.layers);
  // The list of a decoder's layers is named `layers` everywhere in the family; a pattern that matches something else chooses nothing.
  const patterns = config.layersPatterns.length === 0 ? ['[^.]*'] : config.layersPatterns;
  const counted = findFirstMatches(
    patterns.map((pattern) => ({ pattern, source: `^.*\\.(?:${pattern})\\.\\d+\\.` })),
    targets,
    'layers_pattern',
  );
  return targets.filter((module, i) => counted[i] !== undefined && layers.has(module.layer));
}

/**
 * For each module the value of the first pattern that matches the end of its name, on a segment's border; undefined where none does.
 * @throws BraidError ADAPTER_PATTERN_INVALID
 */
export function findPatternValues<Value>(
  patterns: ReadonlyMap<string, Value>,
  modules: readonly LinearModule[],
  field: string,
): readonly (Value | undefined)[] {
  const sources = [...patterns.keys()].map((pattern) => ({ pattern, source: `^(?:.*\\.)?(?:${pattern})$` }));
  return findFirstMatches(sources, modules, field).map((pattern) => (pattern === undefined ? undefined : patterns.get(pattern)));
}

function findByName(names: string | readonly string[], modules: readonly LinearModule[], field: string): LinearModule[] {
  // PEFT means the linear layers without the output layer; an embedding is none.
  if (names === 'all-linear') return modules.filter((module) => !isVocabularyClass(module.class));
  if (typeof names !== 'string') return modules.filter(({ path }) => names.some((name) => path === name || path.endsWith(`.${name}`)));
  const matches = findFirstMatches([{ pattern: names, source: `^(?:${names})$` }], modules, field);
  return modules.filter((_, i) => matches[i] !== undefined);
}

interface Pattern {
  /** As the configuration has it. */
  readonly pattern: string;
  /** As it is matched. */
  readonly source: string;
}

/** For each module the first pattern that matches its path. */
function findFirstMatches(patterns: readonly Pattern[], modules: readonly LinearModule[], field: string): readonly (string | undefined)[] {
  if (patterns.length === 0 || modules.length === 0) return modules.map(() => undefined);
  for (const { pattern, source } of patterns) assertCompiles(pattern, source, field);
  // A regular expression cannot be interrupted in this thread except under vm's timeout, and a hostile one may run for ages.
  const context = createContext({ sources: patterns.map(({ source }) => source), paths: modules.map(({ path }) => path) });
  let found: unknown;
  try {
    found = runInContext(
      'const patterns = sources.map((source) => new RegExp(source, "u")); JSON.stringify(paths.map((path) => patterns.findIndex((pattern) => pattern.test(path))))',
      context,
      { timeout: MATCH_TIMEOUT_MS },
    );
  } catch (cause) {
    throw fail('ADAPTER_PATTERN_INVALID', { field, found: shown(patterns[0]?.pattern ?? ''), reason: 'matching takes too long' }, cause);
  }
  return (JSON.parse(String(found)) as number[]).map((index) => patterns[index]?.pattern);
}

/** Python's and JavaScript's expressions agree on what adapters use; `u` makes JavaScript refuse what it would otherwise misread, such as \Z. */
function assertCompiles(pattern: string, source: string, field: string): void {
  try {
    new RegExp(pattern, 'u');
    new RegExp(source, 'u');
  } catch (cause) {
    throw fail(
      'ADAPTER_PATTERN_INVALID',
      { field, found: shown(pattern), reason: 'it is not a regular expression that JavaScript reads' },
      cause,
    );
  }
}

function shown(pattern: string): string {
  return JSON.stringify(pattern.length > 120 ? `${pattern.slice(0, 117)}...` : pattern);
}
