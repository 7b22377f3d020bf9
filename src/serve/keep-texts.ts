// The beginnings of what was asked and answered, for a hub whose log may have them.
import type { ObservedGeneration } from '#src/metrics/observed-generation.js';
import type { GenerationPlan } from '#src/serve/plan-generation.js';
import type { IndexedPiece } from '#src/serve/run-plan.js';
import type { TextCodec } from '#src/tokenizer/text-codec.js';

/** Of a log line. */
const MOST_CHARACTERS = 1_000;
/** Tokens that are decoded for them: hardly any is shorter than a character. */
const MOST_TOKENS = 1_000;

/** Passes the pieces on; of several answers the first is kept. */
export async function* keepTexts(
  pieces: AsyncIterable<IndexedPiece>,
  { prompts }: GenerationPlan,
  codec: TextCodec,
  watch: ObservedGeneration,
): AsyncGenerator<IndexedPiece, void, undefined> {
  const prompt = codec.decode((prompts[0]?.ids ?? []).slice(0, MOST_TOKENS), { skipSpecialTokens: false });
  const texts = { prompt: prompt.slice(0, MOST_CHARACTERS), answer: '' };
  watch.texts = texts;
  for await (const indexed of pieces) {
    const { index, piece } = indexed;
    if (index === 0 && piece.generatedTokens > 0) texts.answer = (texts.answer + piece.text).slice(0, MOST_CHARACTERS);
    yield indexed;
  }
}
