// Bars in text, to half a character.

/** A bar from the left: `value` of `full` over `width` characters; clamped to 0…full. */
export function bar(value: number, full: number, width: number): string {
  const steps = halfSteps(value, full, width);
  return '█'.repeat(Math.floor(steps / 2)) + (steps % 2 === 1 ? '▌' : '');
}

/** A bar around a middle line: negative values to the left, positive to the right, `limit` reaching `side` characters each way. */
export function signedBar(value: number, limit: number, side: number): string {
  if (!(value < 0)) return `${' '.repeat(side)}│${bar(value, limit, side)}`;
  const steps = halfSteps(-value, limit, side);
  const drawn = (steps % 2 === 1 ? '▐' : '') + '█'.repeat(Math.floor(steps / 2));
  return `${drawn.padStart(side)}│`;
}

/** Filled half characters; something that is there is at least one. */
function halfSteps(value: number, full: number, width: number): number {
  if (!(value > 0) || !(full > 0)) return 0;
  return Math.max(1, Math.round(Math.min(value / full, 1) * width * 2));
}
