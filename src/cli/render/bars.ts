// Bars in text, to half a character.

/** A bar from the left: `value` of `full` over `width` characters; clamped to 0…full. */
export function bar(value: number, full: number, width: number): string {
  return halves(value, full, width).text('█', '▌');
}

/** A bar around a middle line: negative values to the left, positive to the right, `limit` reaching `side` characters each way. */
export function signedBar(value: number, limit: number, side: number): string {
  const { text } = halves(Math.abs(value), limit, side);
  if (value < 0) return `${text('█', '▐', 'left').padStart(side)}│`;
  return `${' '.repeat(side)}│${text('█', '▌')}`;
}

function halves(value: number, full: number, width: number): { text(whole: string, half: string, side?: 'left' | 'right'): string } {
  const share = full > 0 && Number.isFinite(value) ? Math.min(Math.max(value / full, 0), 1) : 0;
  let steps = Math.round(share * width * 2);
  // Something that is there must be seen.
  if (share > 0 && steps === 0) steps = 1;
  return {
    text(whole, half, side = 'right') {
      const body = whole.repeat(Math.floor(steps / 2));
      const rest = steps % 2 === 1 ? half : '';
      return side === 'left' ? rest + body : body + rest;
    },
  };
}
