// How much a module's low-rank update amounts to, without ever forming it.
import { setImmediate } from 'node:timers/promises';
import { type CanonicalModule } from '#kernels/lora/canonical-adapter.js';

/**
 * ‖s·B·A‖ in the Frobenius norm, in float64.
 *
 * ‖BA‖² = tr(AᵀBᵀBA) = ⟨BᵀB, AAᵀ⟩: two Gram matrices of rank × rank instead of dOut × dIn.
 * Exactly 0 if and only if one of the Gram matrices' products vanishes; rounding may leave a tiny negative sum, which counts as 0.
 */
export function deltaNorm(module: CanonicalModule): number {
  const rows = sumGramRows(module);
  let row = rows.next();
  while (row.done !== true) row = rows.next();
  return row.value;
}

/** {@link deltaNorm}, letting others run between rows of the Gram matrices: with a vocabulary on one side the whole takes seconds. */
export async function deltaNormInTurns(module: CanonicalModule): Promise<number> {
  const rows = sumGramRows(module);
  let row = rows.next();
  while (row.done !== true) {
    await setImmediate();
    row = rows.next();
  }
  return row.value;
}

function* sumGramRows({ rank, scale, a, b }: CanonicalModule): Generator<undefined, number> {
  const dIn = a.length / rank;
  const dOut = b.length / rank;
  let sum = 0;
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let ofA = 0;
      for (let k = 0; k < dIn; k++) ofA += (a[i * dIn + k] ?? 0) * (a[j * dIn + k] ?? 0);
      if (ofA === 0) continue;
      let ofB = 0;
      for (let k = 0; k < dOut; k++) ofB += (b[k * rank + i] ?? 0) * (b[k * rank + j] ?? 0);
      sum += (i === j ? 1 : 2) * ofA * ofB;
    }
    yield undefined;
  }
  return Math.abs(scale) * Math.sqrt(Math.max(0, sum));
}
