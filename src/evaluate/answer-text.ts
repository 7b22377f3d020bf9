// When a generated answer is the expected one: as the field compares short answers, the first line, stripped and compared whole.

/** What an example expects, as text; `lines` is how many lines of an answer are looked at. */
export interface ExpectedAnswer {
  readonly text: string;
  readonly lines: number;
}

/** An expected answer of several lines is compared with as many lines; for one line this is the field's way. */
export function expectedAnswer(completion: string): ExpectedAnswer {
  return { text: completion.trim(), lines: completion.trimEnd().split('\n').length };
}

/** Whether what follows can no longer change the compared lines. */
export function isComplete(generated: string, { lines }: ExpectedAnswer): boolean {
  return generated.split('\n', lines + 1).length > lines;
}

/** The lines of a generated text that count, stripped. */
export function answerOf(generated: string, { lines }: ExpectedAnswer): string {
  return generated.split('\n', lines).join('\n').trim();
}
