// Modules of one class together, as they stand under each other in a model's layers.

/** The modules by their class, in the order in which classes first appear. */
export function groupByClass<Module extends { readonly class: string }>(
  modules: readonly Module[],
): ReadonlyMap<string, readonly Module[]> {
  const groups = new Map<string, Module[]>();
  for (const module of modules) groups.set(module.class, [...(groups.get(module.class) ?? []), module]);
  return groups;
}

/** The mean of those that there are; null where there is none. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** `8`, or `4–8` where they differ. */
export function formatRange(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? String(low) : `${low}–${high}`;
}
