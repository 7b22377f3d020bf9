// Which known names a mistyped one may have meant.

const MAX_SHOWN = 5;

/** Levenshtein's distance, case ignored. */
export function editDistance(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let j = 1; j <= y.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (x[i - 1] === y[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[y.length] ?? 0;
}

function partOf(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/** The closest of `known` to `name`: a third of its letters may differ, or the namespace alone. At most five, closest first. */
export function nearNames(name: string, known: readonly string[]): string[] {
  return known
    .map((candidate) => ({ candidate, distance: partOf(candidate) === partOf(name) ? 1 : editDistance(name, candidate) }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, MAX_SHOWN)
    .map(({ candidate }) => candidate);
}

/** A sentence that tells what to do next. `kinds` in the plural, e.g. `base models`; `list` is how to see all. */
export function nearHint(near: readonly string[], list: string): string {
  return near.length === 0 ? `${list} lists what there is.` : `Did you mean ${near.join(' or ')}? ${list} lists all.`;
}
