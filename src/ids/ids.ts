// Branded identifiers and their one parser each: a string that carries one of these types has been checked.
import { createHash, randomUUID } from 'node:crypto';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `namespace/name` of a base model, an adapter or a composition, as on the Hugging Face Hub. */
export type RepoName = Branded<'RepoName'>;
/** A semantic version without build metadata, e.g. `1.2.0`. */
export type Version = Branded<'Version'>;
/** `sha256:` and 64 lower-case hex digits. */
export type Digest = Branded<'Digest'>;
/** A random UUID that names a row. */
export type RowId = Branded<'RowId'>;

/** A repository name with an optional version: `ns/name` or `ns/name@1.2.0`. */
export interface VersionedName {
  readonly name: RepoName;
  readonly version: Version | undefined;
}

/** The text is not an identifier of the kind asked for; `message` says what is allowed. */
export class InvalidIdError extends Error {
  override readonly name = 'InvalidIdError';
}

// The Hub's rule: letters, digits, '-', '_', '.'; no leading or trailing '-' or '.', no '--' or '..'; at most 96 characters a part.
const NAME_PART = /^(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;
// Numeric identifiers have no leading zeros (semver 9), so that versions that are equal in order are equal in text.
const PRE_RELEASE = '(?!0\\d+(?:\\.|$))[0-9A-Za-z-]{1,32}';
const SEMVER = new RegExp(`^(?:0|[1-9]\\d{0,8})(?:\\.(?:0|[1-9]\\d{0,8})){2}(?:-${PRE_RELEASE}(?:\\.${PRE_RELEASE}){0,7})?$`);
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 117)}...` : text);
}

/** Parses `namespace/name`. @throws InvalidIdError */
export function parseRepoName(text: string): RepoName {
  const parts = text.split('/');
  if (parts.length !== 2 || !parts.every((part) => NAME_PART.test(part))) {
    throw new InvalidIdError(
      `${shown(text)} is not a name: write namespace/name, each of at most 96 letters, digits, '-', '_' or '.', not starting or ending with '-' or '.'`,
    );
  }
  return text as RepoName;
}

/** Parses a semantic version such as `1.2.0` or `2.0.0-rc.1`. @throws InvalidIdError */
export function parseVersion(text: string): Version {
  if (!SEMVER.test(text)) throw new InvalidIdError(`${shown(text)} is not a version: write MAJOR.MINOR.PATCH, for example 1.2.0`);
  return text as Version;
}

/** Parses `ns/name` or `ns/name@version`. @throws InvalidIdError */
export function parseVersionedName(text: string): VersionedName {
  const at = text.indexOf('@');
  if (at < 0) return { name: parseRepoName(text), version: undefined };
  return { name: parseRepoName(text.slice(0, at)), version: parseVersion(text.slice(at + 1)) };
}

/** Parses `sha256:<hex>`. @throws InvalidIdError */
export function parseDigest(text: string): Digest {
  if (!DIGEST.test(text)) throw new InvalidIdError(`${shown(text)} is not a digest: write sha256: and 64 hex digits`);
  return text as Digest;
}

/** Parses a lower-case UUID. @throws InvalidIdError */
export function parseRowId(text: string): RowId {
  if (!UUID.test(text)) throw new InvalidIdError(`${shown(text)} is not an id: it must be a lower-case UUID`);
  return text as RowId;
}

/** A new random row id. */
export function createRowId(): RowId {
  return randomUUID() as RowId;
}

/** The digest of bytes held in memory. */
export function digestOf(...chunks: readonly (Uint8Array | string)[]): Digest {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}` as Digest;
}

/** Wraps a finished SHA-256 in hex (for streams hashed by the caller). @throws InvalidIdError */
export function digestFromHex(hex: string): Digest {
  return parseDigest(`sha256:${hex}`);
}

/** Orders versions as semver does (a pre-release comes before its release). Negative when `a` is older. */
export function compareVersions(a: Version, b: Version): number {
  const [aCore = '', aPre] = splitVersion(a);
  const [bCore = '', bPre] = splitVersion(b);
  const as = aCore.split('.').map(Number);
  const bs = bCore.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (as[i] ?? 0) - (bs[i] ?? 0);
    if (difference !== 0) return difference;
  }
  if (aPre === undefined || bPre === undefined) return (aPre === undefined ? 1 : 0) - (bPre === undefined ? 1 : 0);
  return comparePreReleases(aPre.split('.'), bPre.split('.'));
}

function splitVersion(version: Version): [string, string | undefined] {
  const dash = version.indexOf('-');
  return dash < 0 ? [version, undefined] : [version.slice(0, dash), version.slice(dash + 1)];
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const x = a[i];
    const y = b[i];
    if (x === undefined) return -1;
    if (y === undefined) return 1;
    if (x === y) continue;
    const xNumeric = /^\d+$/.test(x);
    const yNumeric = /^\d+$/.test(y);
    // Up to 32 digits are more than a number holds exactly; without leading zeros the longer one is the greater.
    if (xNumeric && yNumeric) return x.length - y.length || (x < y ? -1 : 1);
    if (xNumeric !== yNumeric) return xNumeric ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}
