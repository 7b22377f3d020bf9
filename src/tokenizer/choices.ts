// Multiple choice: every choice is put in the place of the example's answer and scored, nothing is generated.
import type { PlacedExample } from './examples.js';
import { failExamples } from './examples.errors.js';

/** Each is scored on every example. */
export const MOST_CHOICES = 64;

/** How one choice was scored. */
export interface ChoiceScore {
  /** Σ log p over its tokens, nats; −Infinity when the model computes no finite number. */
  readonly logprob: number;
  /** Its tokens, the end of sequence among them. */
  readonly tokens: number;
}

/** The answer's own text: the completion, or the last message's. */
export function answerTextOf({ example }: PlacedExample): string {
  const { completion } = example;
  return typeof completion === 'string' ? completion : (completion.at(-1)?.content ?? '');
}

/** The example with another answer, which keeps the blanks around the old one: " yes" becomes " no". */
export function withAnswer({ place, example }: PlacedExample, answer: string): PlacedExample {
  const rewrite = (old: string): string => {
    const text = old.trim();
    const start = old.indexOf(text);
    return `${old.slice(0, start)}${answer}${old.slice(start + text.length)}`;
  };
  if (typeof example.completion === 'string') {
    const { prompt, completion } = example as { prompt: string; completion: string };
    return { place, example: { prompt, completion: rewrite(completion) } };
  }
  const { prompt, completion } = example as Exclude<typeof example, { readonly prompt: string }>;
  const last = completion.length - 1;
  return {
    place,
    example: {
      prompt,
      completion: completion.map((message, i) => (i === last ? { ...message, content: rewrite(message.content) } : message)),
    },
  };
}

/**
 * The choices without blanks around them, when every example's answer is one of them.
 * @throws BraidError CHOICES_REPEATED, CHOICE_BLANK, ANSWER_NOT_A_CHOICE
 */
export function checkChoices(choices: readonly string[], examples: readonly PlacedExample[]): string[] {
  const stripped = choices.map((choice) => choice.trim());
  for (const [i, choice] of stripped.entries()) {
    if (choice === '') throw failExamples('CHOICE_BLANK', { position: i + 1 });
    if (stripped.indexOf(choice) !== i) throw failExamples('CHOICES_REPEATED', { choice });
  }
  for (const example of examples) {
    const answer = answerTextOf(example).trim();
    if (!stripped.includes(answer)) {
      throw failExamples('ANSWER_NOT_A_CHOICE', { place: example.place, answer: answer.slice(0, 80), choices: stripped.slice(0, 20) });
    }
  }
  return stripped;
}

/**
 * The likeliest choice's index, by Σ log p or by (Σ log p)/tokens; the first of equal ones.
 * Undefined when the model computed a finite number for none.
 */
export function pickChoice(
  scores: readonly ChoiceScore[],
  { lengthNormalized }: { readonly lengthNormalized: boolean },
): number | undefined {
  let best: number | undefined;
  let bestScore = -Infinity;
  for (const [i, { logprob, tokens }] of scores.entries()) {
    const score = lengthNormalized ? logprob / tokens : logprob;
    if (score > bestScore) {
      best = i;
      bestScore = score;
    }
  }
  return best;
}
