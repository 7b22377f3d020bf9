// What an answer was computed from, in a few letters.
import { createHash } from 'node:crypto';
import type { ServedModel } from '#src/serve/served-models.service.js';

/** Changes when what answers changes: another base, other adapters, other weights on them, other examples in front. */
export function fingerprintOf({ baseModel, mixture, prompt }: Pick<ServedModel, 'baseModel' | 'mixture' | 'prompt'>): string {
  const hash = createHash('sha256').update(baseModel.digest);
  for (const { digest, weight } of mixture) hash.update(` ${digest} ${weight}`);
  if (prompt !== null) hash.update(JSON.stringify(prompt.examples));
  return `fp_${hash.digest('hex').slice(0, 12)}`;
}
