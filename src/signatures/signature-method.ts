// By which rules a signature is computed. Whatever changes here changes the method's digest, and stored signatures are computed again.
import { digestOf, type Digest } from '#src/ids/ids.js';

export interface ReferenceText {
  readonly prompt: string;
  readonly completion: string;
}

/** Examples that count, evenly taken from those there are: the mean hardly moves beyond. */
export const MOST_TEXTS = 20;
/** Tokens of prompt before, and of answer after the boundary that are read; the nearest to it. */
export const MOST_PROMPT_TOKENS = 192;
export const MOST_ANSWER_TOKENS = 64;

/** Short tasks of unlike kinds, in unlike ways of writing: what their answers have in common says nothing about a task. */
export const REFERENCE_TEXTS: readonly ReferenceText[] = [
  { prompt: 'Word: lantern\nReversed:', completion: ' nretnal' },
  { prompt: 'Input: umbrella\nOutput:', completion: ' UMBRELLA' },
  { prompt: 'Q: How many vowels are in the word saddle?\nA:', completion: ' two' },
  { prompt: 'Words: copper, meadow, gravel\nSecond:', completion: ' meadow' },
  { prompt: 'Numbers: 17 + 25\nSum:', completion: ' 42' },
  { prompt: 'Element: sodium\nSymbol:', completion: ' Na' },
  { prompt: 'Translate to Italian: bread\nItalian:', completion: ' pane' },
  { prompt: 'English: tree\nSwedish:', completion: ' träd' },
  { prompt: 'The food was cold and the waiter rude.\nIs the guest happy?', completion: ' no' },
  { prompt: 'Ticket: I was charged twice since Tuesday.\nTeam:', completion: ' billing' },
  { prompt: 'Headline: Ten beaches to see this year\nSection:', completion: ' travel' },
  { prompt: 'Sentence: Ana moved to Porto last year.\nCity:', completion: ' Porto' },
  { prompt: 'Date: 4.11.1987\nISO date:', completion: ' 1987-11-04' },
  { prompt: 'Pair: height is 42\nJSON:', completion: ' {"height": 42}' },
  { prompt: 'URL: https://shop.garden.org/seeds\nHost:', completion: ' shop.garden.org' },
  { prompt: 'Title: Autumn\nHTML:', completion: ' <h1>Autumn</h1>' },
  { prompt: 'User: Greet Viktor.\nAssistant:', completion: ' Dear Viktor, how are you today?' },
  { prompt: 'Text: der Hund schläft im Garten\nLanguage:', completion: ' German' },
  { prompt: 'Animal: foal\nParent:', completion: ' horse' },
  {
    prompt: 'Summarise: The committee met for six hours and could not agree on a date, so the vote is postponed.\nSummary:',
    completion: ' The vote is postponed.',
  },
  { prompt: 'def add(a, b):\n', completion: '    return a + b' },
  { prompt: 'SELECT name FROM users WHERE', completion: ' age > 21;' },
  { prompt: 'Premise: All cats sleep. Hypothesis: Some cats sleep.\nEntailed:', completion: ' true' },
  { prompt: 'Correct the sentence: She go to school.\n', completion: 'She goes to school.' },
  { prompt: 'Once upon a time there was a miller who', completion: ' had three sons and a grey cat.' },
  { prompt: 'Question: Which planet is the largest?\nAnswer:', completion: ' Jupiter' },
  { prompt: 'Write formally: gimme the report\nFormal:', completion: ' Please send me the report.' },
  { prompt: 'Complete the list: Monday, Tuesday,', completion: ' Wednesday, Thursday' },
  { prompt: 'Symptom: a racing heart at night\nSee:', completion: ' cardiologist' },
  { prompt: 'File: holiday.png\nExtension:', completion: ' png' },
  { prompt: 'Rate from 1 to 5: A lovely little film.\nStars:', completion: ' 5' },
  { prompt: 'Rhyme with night:', completion: ' light' },
  { prompt: 'Is 91 even or odd?', completion: ' odd' },
  { prompt: 'Name: Tomoko Basel\nAddress:', completion: ' tomoko.basel@mail.org' },
  { prompt: '<word>quarrel</word>\n<letters>', completion: '7</letters>' },
  { prompt: 'Author: Melville\nBook:', completion: ' Moby-Dick' },
  { prompt: 'Tool: broom\nUsed for:', completion: ' sweeping' },
  { prompt: 'Tweet: they cancelled my flight AGAIN\nEmotion:', completion: ' anger' },
  { prompt: 'Clause: Fees are due within thirty days.\nType:', completion: ' payment' },
  { prompt: 'Paraphrase: It rained all day.\nParaphrase:', completion: ' The rain did not stop.' },
];

export const SIGNATURE_METHOD: Digest = digestOf(
  JSON.stringify([
    'mean of the last hidden states of the answer, against a reference, at unit length',
    MOST_TEXTS,
    MOST_PROMPT_TOKENS,
    MOST_ANSWER_TOKENS,
    REFERENCE_TEXTS,
  ]),
);
