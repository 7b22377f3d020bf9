// Signatures of adapters that do not exist, plausible and hard to tell from real ones: task texts of many kinds, embedded by the real model,
// several adapters a kind that differ in their examples, some of them trained on two kinds at once.
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { createSignature, type Reference } from '#src/signatures/signature-vector.js';

/** Share of adapters that know something of a second task, and how much of their examples is of it at most. */
const MIXED_SHARE = 0.3;
const MOST_MIXED = 0.4;

/**
 * `count` signatures. Each is of a kind drawn at random, its examples counted by random weights (an exponential each, as if drawn anew),
 * so that adapters of one kind are as close as a publisher's choice of examples leaves them.
 * @param kinds embeddings of each kind's examples
 */
export function createSyntheticSignatures(
  kinds: readonly (readonly Float32Array[])[],
  reference: Reference,
  count: number,
  seed: number,
): Float32Array[] {
  const random = SeededRandom.fromSeed(seed);
  const drawKind = (): readonly Float32Array[] => kinds[random.below(kinds.length)] ?? [];
  return Array.from({ length: count }, () => {
    const own = weighExamples(drawKind(), random);
    if (random.uniform() >= MIXED_SHARE) return createSignature([own], reference);
    const share = MOST_MIXED * random.uniform();
    const other = weighExamples(drawKind(), random);
    return createSignature([own.map((value, i) => (1 - share) * value + share * (other[i] ?? NaN))], reference);
  });
}

function weighExamples(examples: readonly Float32Array[], random: SeededRandom): Float32Array {
  const weights = examples.map(() => -Math.log(1 - random.uniform()));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float32Array.from(examples[0] ?? [], (_, i) =>
    examples.reduce((sum, example, e) => sum + ((weights[e] ?? NaN) / total) * (example[i] ?? NaN), 0),
  );
}
