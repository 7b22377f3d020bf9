// Memory that is collected goes up and down: what grows is the least of each stretch of time.
import type { Sample } from '../statistics.js';

const STRETCHES = 6;

/** The least sample of each of some stretches as long as each other, in order. */
export function floorOf(samples: readonly Sample[]): Sample[] {
  const length = samples.length / STRETCHES;
  return Array.from({ length: STRETCHES }, (_, i) => samples.slice(Math.floor(i * length), Math.floor((i + 1) * length))).flatMap((own) => {
    const [first] = own;
    return first === undefined ? [] : [own.reduce((least, sample) => (sample.value < least.value ? sample : least), first)];
  });
}
