// Parsers of option and argument texts; what they refuse is wrong usage (status 2) and never reaches the hub.
import { InvalidArgumentError } from 'commander';
import { LINEAR_CLASSES } from '#kernels/lora/modules.js';
import {
  InvalidIdError,
  parseRepoName,
  parseVersion,
  parseVersionedName,
  type RepoName,
  type Version,
  type VersionedName,
} from '#src/ids/ids.js';

/** A whole number in a range. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= minimum && value <= maximum)) throw new InvalidArgumentError(`It must be a whole number from ${minimum} to ${maximum}.`);
    return value;
  };
}

/** A finite number in a range. */
export function realNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!(value >= minimum && value <= maximum)) throw new InvalidArgumentError(`It must be a number from ${minimum} to ${maximum}.`);
    return value;
  };
}

/** For options that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** `ns/name`. */
export function repoName(text: string): RepoName {
  return checked(() => parseRepoName(text));
}

/** `1.2.0`. */
export function version(text: string): Version {
  return checked(() => parseVersion(text));
}

/** `ns/name` or `ns/name@1.2.0`. */
export function versionedName(text: string): VersionedName {
  return checked(() => parseVersionedName(text));
}

/** As it was written. */
export function nameAndVersion({ name, version }: VersionedName): string {
  return version === undefined ? name : `${name}@${version}`;
}

/** `a/b@1.0.0,c/d`: names of adapters, each with an optional version. */
export function adapterList(text: string, before: readonly string[] | undefined): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) throw new InvalidArgumentError('Name at least one adapter.');
  for (const name of names) versionedName(name);
  return [...(before ?? []), ...names];
}

/** `yes,no,maybe`: answers to choose from. */
export function choiceList(text: string, before: readonly string[] | undefined): string[] {
  const choices = text.split(',').map((choice) => choice.trim());
  if (choices.includes('')) throw new InvalidArgumentError('Write the choices with commas between them, such as yes,no.');
  return [...(before ?? []), ...choices];
}

/** `q_proj,v_proj`: names of modules. */
export function targetList(text: string, before: readonly string[] | undefined): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('Write the names with commas between them, such as q_proj,v_proj.');
  return [...(before ?? []), ...names];
}

/** `q_proj,v_proj`: classes of modules that the hub knows. */
export function classList(text: string, before: readonly string[] | undefined): string[] {
  const names = targetList(text, before);
  const unknown = names.find((name) => !(LINEAR_CLASSES as readonly string[]).includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`${JSON.stringify(unknown)} is none of ${LINEAR_CLASSES.join(', ')}.`);
}

export interface MixturePart {
  readonly adapter: string;
  readonly weight: number;
}

/** `a/b@1.0.0=0.5,c/d=-0.2`: adapters and their weights. */
export function mixture(text: string, before: readonly MixturePart[] | undefined): readonly MixturePart[] {
  const parts = text.split(',').map((part) => {
    const equals = part.lastIndexOf('=');
    if (equals < 0) throw new InvalidArgumentError('Write ns/name=WEIGHT, several with commas between them.');
    const adapter = part.slice(0, equals).trim();
    versionedName(adapter);
    return { adapter, weight: realNumber(-1e6, 1e6)(part.slice(equals + 1)) };
  });
  return [...(before ?? []), ...parts];
}

function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof InvalidIdError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}
