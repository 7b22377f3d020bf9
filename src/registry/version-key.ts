// Text keys that sort, byte by byte, as semantic versions do; and which version a bare name means.
import { compareVersions, parseVersion, type Version } from '../ids/ids.js';

// ' ' sorts before every character of an identifier, so that a shorter list of identifiers comes first; '~' after all of them.
const SEPARATOR = ' ';
const RELEASE = '~';
const CORE_DIGITS = 9;
const IDENTIFIER_DIGITS = 32;

/** `1.2.3` → `000000001.000000002.000000003~`; a pre-release's identifiers take the place of `~`. */
export function versionKey(version: Version): string {
  const dash = version.indexOf('-');
  const core = (dash < 0 ? version : version.slice(0, dash)).split('.').map((part) => part.padStart(CORE_DIGITS, '0'));
  if (dash < 0) return core.join('.') + RELEASE;
  const identifiers = version.slice(dash + 1).split('.');
  // Numeric identifiers have lower precedence than others (semver 11.4.3).
  const keys = identifiers.map((text) => (/^\d+$/.test(text) ? `0${text.padStart(IDENTIFIER_DIGITS, '0')}` : `1${text}`));
  return core.join('.') + keys.map((key) => SEPARATOR + key).join('');
}

export function isPreRelease(version: Version): boolean {
  return version.includes('-');
}

/** Whether `candidate` takes the name over from `latest`: the highest release, or the highest pre-release while there is no release. */
export function isLater(candidate: Version, latest: Version): boolean {
  if (isPreRelease(candidate) !== isPreRelease(latest)) return isPreRelease(latest);
  return compareVersions(candidate, latest) > 0;
}

/** The version given to an unnumbered publish: the next minor one after `latest`, or 1.0.0. */
export function nextVersion(latest: Version | undefined): Version {
  if (latest === undefined) return parseVersion('1.0.0');
  const [major = 0, minor = 0] = latest.split('-', 1).join('').split('.').map(Number);
  return parseVersion(`${major}.${minor + 1}.0`);
}
