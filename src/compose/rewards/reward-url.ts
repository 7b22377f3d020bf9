// Which services a hub may ask: a URL of a request is followed to the origins that its operator listed, and to no other.
import { failCompose } from '../compose.errors.js';

/**
 * The URL of a reward service.
 * @param origins that may be asked, exactly
 * @throws BraidError REWARD_URL_INVALID, REWARD_ORIGIN_REFUSED
 */
export function parseRewardUrl(text: string, origins: readonly string[]): URL {
  if (!URL.canParse(text)) throw failCompose('REWARD_URL_INVALID', { found: 'no URL' });
  const url = new URL(text);
  // Neither is repeated: what was mistyped may be a secret.
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw failCompose('REWARD_URL_INVALID', { found: `a URL of ${url.protocol}` });
  if (url.username !== '' || url.password !== '') throw failCompose('REWARD_URL_INVALID', { found: 'a URL with a user or a password' });
  if (!origins.includes(url.origin)) throw failCompose('REWARD_ORIGIN_REFUSED', { origin: url.origin, listed: origins.length });
  return url;
}

/** The URL as errors, logs and reports may show it: a query may hold a key. */
export function showRewardUrl(url: URL | string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
