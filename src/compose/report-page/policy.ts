// What a browser may do with the page: apply its one style sheet, and nothing else. Its texts are those of strangers.
import { createHash } from 'node:crypto';
import { STYLE } from './style.js';

const STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

/** In the page too, so that a saved one keeps it. */
export const PAGE_POLICY = `default-src 'none'; style-src ${STYLE_HASH}; base-uri 'none'; form-action 'none'`;

/** Sent with the page; `sandbox` and `frame-ancestors` are for headers only. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `${PAGE_POLICY}; frame-ancestors 'none'; sandbox`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;
