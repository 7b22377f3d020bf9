// Picks alike but unlike one another: maximal marginal relevance (Carbonell & Goldstein 1998, SIGIR, eq. 1).
import { dotProduct } from '#src/signatures/signature-vector.js';
import { type Neighbour } from './signature-index.js';

/**
 * At most `limit` neighbours, in the order of picking: each time the one with the highest similarity − weight · (its similarity to the
 * picked one that it is most like). A hub holds many near-copies of one skill, and a composition needs one of each: without this the
 * copies of the nearest adapter crowd the others out.
 * @param neighbours most alike first
 */
export function pickDiverse(neighbours: readonly Neighbour[], limit: number, weight: number): Neighbour[] {
  const left = neighbours.map((neighbour) => ({ neighbour, overlap: 0 }));
  const picked: Neighbour[] = [];
  while (picked.length < limit && left.length > 0) {
    let best = 0;
    for (const [i, { neighbour, overlap }] of left.entries()) {
      const leader = left[best];
      if (leader !== undefined && neighbour.similarity - weight * overlap > leader.neighbour.similarity - weight * leader.overlap) best = i;
    }
    for (const { neighbour } of left.splice(best, 1)) {
      picked.push(neighbour);
      for (const other of left) other.overlap = Math.max(other.overlap, dotProduct(other.neighbour.vector, neighbour.vector));
    }
  }
  return picked;
}
