// The values of adapter_config.json, each checked by itself: ranks, scales, names and patterns of strangers.
import { fail } from './peft.errors.js';

/** A configuration as it was parsed. */
export type ConfigFields = Readonly<Record<string, unknown>>;

/** Far beyond use (published adapters rarely exceed 256), and small enough that the norm of one module's update is computed in under a second. */
export const MAX_RANK = 1024;
const MAX_PATTERNS = 4096;
const MAX_PATTERN_LENGTH = 512;
const MAX_TARGETS = 4096;

/** PEFT writes switches that are not used as null, false, an empty string, list or object. */
export function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

export function readRank(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_RANK) return value;
  throw invalid(`${field} is ${shown(value)}, it must be a whole number from 1 to ${MAX_RANK}`);
}

export function readAlpha(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalid(`${field} is ${shown(value)}, it must be a finite number`);
}

export function readBoolean(value: unknown, field: string): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid(`${field} is ${shown(value)}, it must be true or false`);
}

export function readTargets(value: unknown, field: string): string | readonly string[] {
  if (typeof value === 'string' && value !== '') {
    assertPatternLength(value, field);
    return value;
  }
  if (Array.isArray(value) && value.length > 0) return readNames(value, field);
  throw invalid(`${field} is ${shown(value)}, it must name at least one module`);
}

export function readNames(value: unknown, field: string): readonly string[] {
  const names: unknown[] = Array.isArray(value) ? value : [value];
  if (names.length > MAX_TARGETS) throw invalid(`${field} has ${names.length} entries, at most ${MAX_TARGETS} are accepted`);
  return names.map((name) => {
    if (typeof name !== 'string') throw invalid(`${field} holds ${shown(name)}, it must hold names`);
    assertPatternLength(name, field);
    return name;
  });
}

export function readLayers(value: unknown): readonly number[] | undefined {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return undefined;
  const layers: unknown[] = Array.isArray(value) ? value : [value];
  if (layers.length > MAX_TARGETS) throw invalid(`layers_to_transform has ${layers.length} entries, at most ${MAX_TARGETS} are accepted`);
  return layers.map((layer) => {
    if (typeof layer === 'number' && Number.isInteger(layer) && layer >= 0) return layer;
    throw invalid(`layers_to_transform holds ${shown(layer)}, it must hold indices of layers`);
  });
}

export function readPattern(value: unknown, field: string, read: (value: unknown, field: string) => number): ReadonlyMap<string, number> {
  if (isOff(value)) return new Map();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${field} is ${shown(value)}, not an object`);
  const entries = Object.entries(value);
  if (entries.length > MAX_PATTERNS) throw invalid(`${field} has ${entries.length} entries, at most ${MAX_PATTERNS} are accepted`);
  return new Map(
    entries.map(([pattern, number]) => {
      assertPatternLength(pattern, field);
      return [pattern, read(number, `${field}[${shown(pattern)}]`)];
    }),
  );
}

function assertPatternLength(pattern: string, field: string): void {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw invalid(`${field} holds a pattern of ${pattern.length} characters, at most ${MAX_PATTERN_LENGTH} are accepted`);
  }
}

export function invalid(reason: string, cause?: unknown): Error {
  return fail('ADAPTER_CONFIG_INVALID', { reason }, cause);
}

export function unsupported(field: string, found: unknown, reason: string): Error {
  return fail('ADAPTER_FEATURE_UNSUPPORTED', { field, found: shown(found), reason });
}

export function shownField(field: string): string {
  return /^\w{1,64}$/.test(field) ? field : shown(field);
}

export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  // JSON.stringify writes null for 1e400, which JSON.parse reads as Infinity.
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'number' && !Number.isFinite(part) ? String(part) : part));
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
