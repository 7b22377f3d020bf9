// The examples one by one: what was asked and wanted, and what base and composition make of it, side by side.
import type { ExampleAnswers } from '../answer-examples.js';
import type { GreedyAnswer } from '../greedy-answer.js';
import type { ObjectiveWords } from '../objectives/example-measure.js';
import { LIKELIHOOD_WORDS } from '../objectives/likelihood.js';
import type { CompositionReport, ExampleOutcome, Outcome } from '../report.js';
import type { Example } from '#src/tokenizer/examples.js';
import { capitalized, type Content, type Markup, markup, shortened } from '#src/drawing/markup.js';
import { formatLoss, formatPercent, NOTHING } from './numbers.js';
import { table } from './table.js';

/** Shown in full; the others are rows of one table, so that a page of 256 examples can still be read. */
const MOST_IN_FULL = 20;
/** Characters of a prompt or of an answer; an example may fill the model's whole context. */
const MOST_TEXT = 1200;
const MOST_TEXT_IN_ROW = 120;

/** @param examples undefined when they were not kept: then there are numbers without texts */
export function renderExamples(
  { examples: outcomes, answers = [], measures = LIKELIHOOD_WORDS }: CompositionReport,
  examples: readonly Example[] | undefined,
): Markup {
  const full = outcomes.slice(0, MOST_IN_FULL).map((outcome, i) => renderExample(i + 1, examples?.[i], outcome, answers[i], measures));
  const rest = outcomes.slice(MOST_IN_FULL);
  return markup`${examples === undefined && markup`<p class="small">The texts of the examples were not kept.</p>`}${full}${
    rest.length > 0 && renderRest(rest, examples?.slice(MOST_IN_FULL), measures)
  }`;
}

function renderExample(
  number: number,
  example: Example | undefined,
  outcome: ExampleOutcome,
  answers: ExampleAnswers | undefined,
  { isExact: word, share }: ObjectiveWords,
): Markup {
  const rows: { name: string; outcome: Outcome; answer: Content }[] = [
    { name: 'Base', outcome: outcome.base, answer: answers && renderAnswer(answers.base) },
    { name: 'Composed', outcome: outcome.composed, answer: answers && renderAnswer(answers.composed) },
  ];
  if (outcome.unseen !== undefined) rows.push({ name: 'Unseen', outcome: outcome.unseen, answer: answers && NOTHING });
  const hasAnswers = answers !== undefined;
  return markup`<article class="example">
<h3>Example ${number}</h3>
${example && markup`<dl><dt>Prompt</dt><dd>${renderText(example.prompt)}</dd><dt>Wanted</dt><dd>${renderText(example.completion)}</dd></dl>`}
${table(
  `Example ${number} under base and composition`,
  [
    { heading: 'Under' },
    ...(hasAnswers ? [{ heading: 'Answer' }] : []),
    { heading: capitalized(word) },
    ...(share === undefined ? [] : [{ heading: share, isNumber: true }]),
    { heading: 'Loss', isNumber: true },
  ],
  rows.map(({ name, outcome: { nll, isExact, success }, answer }) => ({
    isMarked: name === 'Composed',
    cells: [
      name,
      ...(hasAnswers ? [answer] : []),
      done(isExact, word),
      ...(share === undefined ? [] : [nll === null ? NOTHING : formatPercent(success ?? Math.exp(-nll))]),
      formatLoss(nll),
    ],
  })),
)}
</article>\n`;
}

function renderRest(
  outcomes: readonly ExampleOutcome[],
  examples: readonly Example[] | undefined,
  { isExact: word }: ObjectiveWords,
): Markup {
  const hasUnseen = outcomes.some(({ unseen }) => unseen !== undefined);
  const cell = (outcome: Outcome | undefined): Content =>
    outcome === undefined ? NOTHING : markup`${done(outcome.isExact, word)} ${formatLoss(outcome.nll)}`;
  return markup`<h3>The other ${outcomes.length}</h3>${table(
    'The other examples',
    [
      { heading: 'No.', isNumber: true },
      ...(examples === undefined ? [] : [{ heading: 'Prompt' }, { heading: 'Wanted' }]),
      { heading: 'Base', isNumber: true },
      { heading: 'Composed', isNumber: true },
      ...(hasUnseen ? [{ heading: 'Unseen', isNumber: true }] : []),
    ],
    outcomes.map(({ base, composed, unseen }, i) => {
      const example = examples?.[i];
      const texts =
        examples === undefined ? [] : example === undefined ? [NOTHING, NOTHING] : [line(example.prompt), line(example.completion)];
      return { cells: [MOST_IN_FULL + i + 1, ...texts, cell(base), cell(composed), ...(hasUnseen ? [cell(unseen)] : [])] };
    }),
  )}`;
}

/** Not by colour alone. */
function done(isDone: boolean, word: string): Markup {
  return isDone
    ? markup`<span class="yes">✓<span class="aloud"> ${word}</span></span>`
    : markup`<span class="no">✗<span class="aloud"> not ${word}</span></span>`;
}

/** A text with its own line breaks and spaces; a chat as its turns. */
function renderText(text: Example['prompt']): Markup {
  if (typeof text === 'string') return markup`<div class="text" dir="auto">${shortened(text, MOST_TEXT)}</div>`;
  const most = Math.max(80, Math.floor(MOST_TEXT / Math.max(1, text.length)));
  const turns = text.slice(0, MOST_IN_FULL);
  return markup`${turns.map(({ role, content }) => markup`<div class="text" dir="auto"><span class="role">${shortened(role, 40)}</span> ${shortened(content, most)}</div>`)}${
    text.length > turns.length && markup`<div class="small">and ${text.length - turns.length} more turns</div>`
  }`;
}

function line(text: Example['prompt']): Markup {
  const joined = typeof text === 'string' ? text : text.map(({ role, content }) => `${role}: ${content}`).join(' ');
  return markup`<bdi class="line">${shortened(joined, MOST_TEXT_IN_ROW)}</bdi>`;
}

/** In one stretch: line breaks are shown as a sign, because a base model left alone writes many. */
function renderAnswer(answer: GreedyAnswer | null): Content {
  if (answer === null) return markup`<span class="small">not finite</span>`;
  const { text, isComplete } = answer;
  if (text === '') return markup`<span class="small">nothing</span>`;
  const lines = text.split('\n').map((part, i) => markup`${i > 0 && markup`<span class="break">↵</span> `}${part}`);
  return markup`<bdi class="answer">${lines}</bdi>${!isComplete && markup`<span class="break" title="cut here">…</span>`}`;
}
