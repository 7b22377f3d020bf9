// Which lines of a task are its five examples.

/** By seed: Python's random.Random(seed).sample(range(60), 5), LoraHub's own draw on this bed; every task has 60 lines. */
export const DRAWS: Readonly<Record<string, readonly number[]>> = {
  0: [54, 24, 48, 56, 26],
  1: [8, 36, 54, 51, 48],
  2: [55, 54, 3, 5, 23],
};
