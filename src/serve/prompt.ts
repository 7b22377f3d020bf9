// The forms a prompt may have: text, token ids, or a list of either.

export type Prompt = { readonly text: string } | { readonly ids: readonly number[] };

export function isTokenList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0);
}

/** The prompts of a request in order; undefined when the value has none of the forms. A flat list of numbers is one prompt. */
export function findPrompts(value: unknown): readonly Prompt[] | undefined {
  if (typeof value === 'string') return [{ text: value }];
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const items: readonly unknown[] = value;
  if (isTokenList(items)) return [{ ids: items }];
  const prompts = items.map((item): Prompt | undefined => {
    if (typeof item === 'string') return { text: item };
    return isTokenList(item) ? { ids: item } : undefined;
  });
  const found = prompts.filter((prompt) => prompt !== undefined);
  const isOneKind = new Set(found.map((prompt) => 'text' in prompt)).size === 1;
  return found.length === prompts.length && isOneKind ? found : undefined;
}
