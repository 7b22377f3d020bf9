// A composition's report as one page of HTML that needs nothing else: no script, no font, no picture, no connection.
import type { CompositionPart, CompositionReport } from '../report.js';
import type { KeptRecipe } from '../jobs/job-settings.js';
import type { Advice } from '../stages/verdict.js';
import { nameStrategy } from '../strategy.js';
import type { Example } from '#src/tokenizer/examples.js';
import { type CurveFrame, drawCurve, type LossCurve } from './curve.js';
import { renderExamples } from './examples.js';
import { bestSingle, renderExpectations } from './expectations.js';
import { LIKELIHOOD_WORDS } from '../objectives/likelihood.js';
import { LIKELIHOOD, type NamedObjective } from '../objectives/objectives.js';
import { Markup, markup, named } from '#src/drawing/markup.js';
import { formatDuration, formatEvaluations, formatPlural } from './numbers.js';
import { PAGE_POLICY } from './policy.js';
import { renderSingles, renderStages } from './stages.js';
import { STYLE } from './style.js';
import { renderWeights } from './weights.js';

export interface ReportPage {
  readonly name: string;
  readonly version: string;
  readonly base: string;
  readonly createdAt: Date;
  readonly parts: readonly CompositionPart[];
  readonly recipe: KeptRecipe;
  readonly report: CompositionReport;
  /** In the report's order; undefined when they were not kept. */
  readonly examples: readonly Example[] | undefined;
}

const HEADLINES: Readonly<Record<Advice, string>> = {
  compose: 'Use the composition',
  single: 'Use one adapter alone',
  uniform: 'Use all candidates in equal parts',
  base: 'Use the base model alone',
  prompt: 'Put the examples into the prompt',
  'single-prompted': 'Use one adapter, with the examples in the prompt',
  'uniform-prompted': 'Use all candidates in equal parts, with the examples in the prompt',
  nothing: 'Nothing here does this task',
};

/** Drawn twice, because a drawing made for a desk cannot be read on a phone; the style sheet shows one of them. */
const FRAMES: readonly CurveFrame[] = [
  { width: 760, height: 340, id: 'wide' },
  { width: 340, height: 300, id: 'narrow' },
];

/** The page as a whole document. */
export function renderPage(page: ReportPage): string {
  const { name, version, report, recipe } = page;
  const words = report.measures ?? LIKELIHOOD_WORDS;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${PAGE_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${name}@${version} – Braid</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
${renderHeader(page)}
<section aria-labelledby="expect">
<h2 id="expect">What to expect</h2>
<p class="lead">Losses are ${words.unit} ${words.of}, lower is better. What to expect of new examples is measured on examples that had no say in the choice; below it the 80 % interval. ${words.explainsSuccess}</p>
${renderExpectations(report)}
</section>
<section aria-labelledby="weights">
<h2 id="weights">The weights</h2>
${renderWeights(page.parts, report, recipe.objective.bound)}
</section>
<section aria-labelledby="search">
<h2 id="search">The search</h2>
${renderCurve(report)}
${renderStages(report, recipe)}
</section>
<section aria-labelledby="examples">
<h2 id="examples">The examples</h2>
<p class="lead">${recipe.shots && `Base and composition have ${inFront(recipe.shots.count)} of each. `}${words.explainsLoss} <em>Unseen</em>: under a mixture that was chosen without this example.</p>
${renderExamples(report, page.examples)}
</section>
<details>
<summary>Every candidate alone</summary>
${renderSingles(report)}
</details>
${renderFooter(page)}
</main>
</body>
</html>
`.html;
}

function renderHeader({ name, version, base, createdAt, recipe, report }: ReportPage): Markup {
  const examples = formatPlural(recipe.examples.count, 'example');
  const evaluations = `${formatEvaluations(report.evaluations)} of ${formatPlural(report.budget, 'evaluation')}`;
  return markup`<header>
<p class="kicker">Report of a composition</p>
<h1>${named(name)}<span class="version">@${version}</span></h1>
<p class="facts">for ${named(base)} · from ${examples} · ${evaluations} in ${formatDuration(report.seconds)}${recipe.shots && ` · ${inFront(recipe.shots.count)} of every request, ${formatPlural(recipe.shots.tokens, 'token')}`} · <time datetime="${createdAt.toISOString()}">${dayOf(createdAt)}</time></p>
<div class="verdict">
<h2>${HEADLINES[report.advice]}</h2>
<p>${report.verdict.replaceAll(' %', '\u00a0%')}</p>
</div>
</header>`;
}

function inFront(shots: number): string {
  return `${formatPlural(shots, 'example')} in front`;
}

function renderCurve(report: CompositionReport): Markup {
  const { unit, of } = report.measures ?? LIKELIHOOD_WORDS;
  const curve: LossCurve = {
    points: report.curve,
    stages: report.stages,
    evaluations: report.evaluations,
    unit: `${unit} ${of}`,
    levels: [
      { label: 'base', loss: report.base.loss },
      { label: 'best single', loss: bestSingle(report)?.loss ?? null },
      { label: 'uniform', loss: report.uniform.loss },
    ],
  };
  const drawn = FRAMES.map((frame) => drawCurve(curve, frame));
  if (drawn.includes(undefined)) return markup`<p>No point of the search had a finite loss.</p>`;
  return markup`<figure>${drawn}
<figcaption>Loss on the examples of the weights that were best by the objective so far, ${unit} ${of}, on a logarithmic scale; a dot is an improvement.</figcaption>
</figure>`;
}

function renderFooter({ recipe, report }: ReportPage): Markup {
  const { candidates, space, precision, seed, strategy, objective, examples, base } = recipe;
  return markup`<footer>
<p>Strategy ${nameStrategy(strategy)}, seed ${seed}, ${formatPlural(candidates.length, 'candidate')}, ${space} space, ${precision !== undefined && `searched by ${precision} estimates, `}weights within ±${objective.bound}, objective: ${describeObjective(objective)} + ${objective.regularisation} · mean |w|, stopped by ${report.stop}.</p>
<p>Base ${base.digest}, examples ${examples.digest} (${formatPlural(examples.answerTokens, 'answer token')}).</p>
<p>Made by Braid.</p>
</footer>`;
}

/** Recipes from before there were several objectives name none. */
function describeObjective({ name, choices }: Partial<NamedObjective>): string {
  return choices === undefined
    ? (name ?? LIKELIHOOD.name)
    : `choice of ${choices.slice(0, 8).join(', ')}${choices.length > 8 ? ', …' : ''}`;
}

function dayOf(date: Date): string {
  return new Intl.DateTimeFormat('en', { dateStyle: 'long', timeZone: 'UTC' }).format(date);
}
