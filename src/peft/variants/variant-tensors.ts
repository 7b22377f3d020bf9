// What variants have in common when they look at their tensors.
import { MAX_RANK } from '../config-fields.js';
import { fail } from '../peft.errors.js';
import { type PlannedTensor, shapeMismatch } from '../planned-module.js';
import type { Variant } from './variant.js';

/** For variants whose tensors have no alternatives. */
export function requireAll(...roles: readonly string[]): Variant['missing'] {
  return (found) => roles.filter((role) => found[role] === undefined);
}

/** Those of a record that are known to be there. */
export function pick<Role extends string, Value>(from: Readonly<Record<string, Value>>, ...roles: readonly Role[]): Record<Role, Value> {
  const picked = roles.map((role) => {
    const value = from[role];
    if (value === undefined) throw new Error(`tensor ${role} is gone`);
    return [role, value] as const;
  });
  return Object.fromEntries(picked) as Record<Role, Value>;
}

/** Rows and columns. @throws BraidError ADAPTER_SHAPE_MISMATCH */
export function readSides(tensor: PlannedTensor, file: string): readonly [number, number] {
  if (tensor.shape.length !== 2) throw shapeMismatch(tensor, 'rows, columns', file);
  return sidesOf(tensor);
}

/** Rows and columns of a tensor whose shape was checked. */
export function sidesOf({ name, shape: [rows, columns] }: PlannedTensor): readonly [number, number] {
  if (rows === undefined || columns === undefined) throw new Error(`${name} is no matrix`);
  return [rows, columns];
}

/** @throws BraidError ADAPTER_RANK_TOO_LARGE where B·A would have more directions than Braid keeps */
export function assertRank(rank: number, module: string, variant: string): void {
  if (rank <= MAX_RANK) return;
  throw fail('ADAPTER_RANK_TOO_LARGE', { module, variant, found: rank, allowed: MAX_RANK });
}
