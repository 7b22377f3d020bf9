// What a reward service answered, as hostile as any upload until it is checked: so many numbers from 0 to 1, in JSON of bounded size.

/** 256 rewards of twenty digits are five kilobytes; the rest is for whoever writes more beside them. */
export const MOST_ANSWER_BYTES = 256 * 1024;

/** The answer breaks the contract; `message` says what was found. */
export class InvalidRewards extends Error {
  override readonly name = 'InvalidRewards';
}

/**
 * @param wanted how many rewards there must be
 * @throws InvalidRewards; what reading the body throws
 */
export async function readRewards(body: AsyncIterable<Uint8Array> | null, wanted: number): Promise<readonly number[]> {
  return parseRewards(await readText(body), wanted);
}

async function readText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MOST_ANSWER_BYTES) throw new InvalidRewards(`more than ${MOST_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseRewards(text: string, wanted: number): readonly number[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // JSON has no NaN and no Infinity either.
    throw new InvalidRewards(text.trim() === '' ? 'nothing' : 'text that is not JSON');
  }
  const rewards = typeof value === 'object' && value !== null && 'rewards' in value ? value.rewards : undefined;
  if (!Array.isArray(rewards)) throw new InvalidRewards('JSON without a list "rewards"');
  if (rewards.length !== wanted) throw new InvalidRewards(`${rewards.length} rewards`);
  return rewards.map((reward: unknown, i) => {
    if (typeof reward !== 'number') throw new InvalidRewards(`rewards[${i}] is ${describe(reward)}`);
    if (!(reward >= 0 && reward <= 1)) throw new InvalidRewards(`rewards[${i}] is ${reward}`);
    return reward;
  });
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
