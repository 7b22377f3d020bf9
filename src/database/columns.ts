// Column types that must read the same in both homes.
import { type ValueTransformer } from 'typeorm';

/** bigint ↔ number; the driver gives text, because a bigint may exceed what a number holds exactly. */
export const safeInteger: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: unknown) => {
    if (value === null || value === undefined) return value;
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new RangeError('a bigint column holds more than 2^53 − 1');
    return number;
  },
};
