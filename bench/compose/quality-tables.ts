// The tables of `npm run bench -- quality`: what compositions reach on held-out examples beside their peers.
import { mean } from '../statistics.js';

/** Of every task. */
export const TEST_EXAMPLES = 100;
/** Advice is right when what it advises is within so much of the best method's exact match … */
const TOLERANCE = 0.03;
/** … and "nothing" when no method reaches this. */
const HELPLESS = 0.15;

/** One composition and its peers, judged on held-out examples; a line of `--json`. */
export interface Run {
  readonly task: string;
  readonly seed: string;
  readonly strategy: string;
  readonly objective: number;
  readonly loss: number;
  /** Held-out exact match. */
  readonly exactMatch: number;
  readonly single: number;
  readonly uniform: number;
  readonly base: number;
  /** The examples in the prompt: all of them, or as many as the composition has in front. */
  readonly prompted: number;
  readonly singlePrompted?: number;
  readonly uniformPrompted?: number;
  readonly advice: string;
  readonly expectedLoss: number;
  readonly expectedExactMatch: number;
  /** Share of groups of as many test examples whose loss lies in the interval that the report gives; of the base's interval likewise. */
  readonly covered?: number;
  readonly baseCovered?: number;
  readonly curve: readonly { readonly evaluations: number; readonly objective: number }[];
  readonly evaluations: number;
  readonly seconds: number;
  readonly parts: Readonly<Record<string, number>>;
}

/** Exact match of each method that can be advised. */
function methodsOf(run: Run): Readonly<Record<string, number | undefined>> {
  const { exactMatch: compose, single, uniform, base, prompted: prompt, singlePrompted, uniformPrompted } = run;
  return {
    ...{ compose, single, base, prompt },
    // A search behind a prompt does not measure the uniform mixture without it.
    ...(singlePrompted === undefined ? { uniform } : { 'single-prompted': singlePrompted, 'uniform-prompted': uniformPrompted }),
  };
}

/** Whether following the advice gives, within the tolerance, the best exact match there was to have. */
function isRight(run: Run): boolean {
  const methods = methodsOf(run);
  const best = Math.max(...Object.values(methods).map((value) => value ?? 0));
  const advised = methods[run.advice];
  return advised === undefined ? best < HELPLESS : advised >= best - TOLERANCE;
}

/** A line for every task, then one for every strategy. */
export function printTables(all: readonly Run[]): void {
  const strategies = [...new Set(all.map(({ strategy }) => strategy))];
  const peer = strategies.find((strategy) => strategy.startsWith('lorahub'));
  const peerOf = (run: Run): Run | undefined =>
    all.find((other) => other.strategy === peer && other.task === run.task && other.seed === run.seed);
  const tasks = [...new Set(all.map(({ task }) => task))];
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;
  const of = (task: string | undefined, strategy: string): readonly Run[] =>
    all.filter((run) => run.strategy === strategy && (task === undefined || run.task === task));
  const two = (value: number): string => value.toFixed(2);
  const [first = ''] = strategies;
  const row = (task: string | undefined): (string | number)[] => [
    task ?? '**mean**',
    ...(['base', 'prompted', 'uniform', 'single'] as const).map((method) => two(mean(of(task, first).map((run) => run[method])))),
    ...strategies.map((strategy) => two(mean(of(task, strategy).map((run) => run.exactMatch)))),
  ];
  process.stdout.write(
    `Held-out exact match on ${TEST_EXAMPLES} test examples, mean over the seeds ${[...new Set(all.map(({ seed }) => seed))].join(', ')}\n\n`,
  );
  process.stdout.write(line(['task', 'base', 'prompted', 'uniform', 'best single', ...strategies]));
  process.stdout.write(line(new Array<string>(5 + strategies.length).fill('---')));
  for (const task of [...tasks, undefined]) process.stdout.write(line(row(task)));
  process.stdout.write('\n');
  process.stdout.write(
    line([
      'strategy',
      'points above LoraHub',
      'above best single',
      'above prompting',
      'runs no worse than LoraHub',
      'evaluations to LoraHub’s objective: median',
      'at most 15',
      'advice right',
      'exact match by advice',
      'by the best method of each run',
      'loss within its 80 % interval',
      'of the base',
      'worst task against best single',
      'evaluations',
      'seconds',
    ]),
  );
  process.stdout.write(line(new Array<string>(15).fill('---')));
  for (const strategy of strategies) {
    const own = of(undefined, strategy);
    const points = (other: (run: Run) => number): string => (100 * mean(own.map((run) => run.exactMatch - other(run)))).toFixed(1);
    const reach = own
      .map((run) => run.curve.find(({ objective }) => objective <= (peerOf(run)?.objective ?? -Infinity))?.evaluations ?? Infinity)
      .sort((a, b) => a - b);
    const deficits = tasks.map((task) => mean(of(task, strategy).map((run) => run.exactMatch - run.single)));
    const percent = (shares: readonly number[]): string => `${(100 * mean(shares)).toFixed(0)} %`;
    const share = (count: number): string => `${count} of ${own.length}`;
    process.stdout.write(
      line([
        strategy,
        points((run) => peerOf(run)?.exactMatch ?? NaN),
        points((run) => run.single),
        points((run) => run.prompted),
        share(own.filter((run) => run.exactMatch >= (peerOf(run)?.exactMatch ?? Infinity)).length),
        (reach[Math.floor(reach.length / 2)] ?? NaN).toFixed(1),
        share(reach.filter((evaluations) => evaluations <= 15).length),
        share(own.filter(isRight).length),
        // Where nothing is advised the composition is what there is.
        two(mean(own.map((run) => methodsOf(run)[run.advice] ?? run.exactMatch))),
        two(mean(own.map((run) => Math.max(...Object.values(methodsOf(run)).map((value) => value ?? 0))))),
        percent(own.map(({ covered }) => covered ?? NaN)),
        percent(own.map(({ baseCovered }) => baseCovered ?? NaN)),
        (100 * Math.min(...deficits)).toFixed(1),
        mean(own.map(({ evaluations }) => evaluations)).toFixed(0),
        mean(own.map(({ seconds }) => seconds)).toFixed(1),
      ]),
    );
  }
}
