// The search as it runs, on standard error: a bar with the best loss so far in a terminal, a line now and then elsewhere.
import { SingleBar } from 'cli-progress';
import { type JobProgress } from './hub-views.js';
import { bar } from './render/bars.js';
import { formatDuration, formatLoss } from './render/quantities.js';
import { lossCurve } from './render/sparkline.js';
import { type Terminal } from './terminal.js';

export interface ComposeProgress {
  update(progress: JobProgress): void;
  /** Leaves the terminal as it was, the last state above. */
  stop(): void;
}

const BAR_WIDTH = 24;
const CURVE_WIDTH = 16;

const STAGES: Readonly<Record<string, string>> = {
  queued: 'waiting',
  starting: 'starting',
  screen: 'screening',
  search: 'searching',
  prune: 'pruning',
  baselines: 'baselines',
  recheck: 'rechecking',
  validate: 'validating',
};

/** Chooses by what standard error is. */
export function createComposeProgress(terminal: Terminal): ComposeProgress {
  return terminal.err.isTTY === true ? new ProgressBar(terminal) : new ProgressLines(terminal);
}

class ProgressBar implements ComposeProgress {
  private readonly bar: SingleBar;
  private readonly best: number[] = [];
  private last: JobProgress | undefined;
  private readonly startedMs = performance.now();

  constructor(terminal: Terminal) {
    const style = terminal.errStyle;
    this.bar = new SingleBar({
      stream: process.stderr,
      fps: 12,
      hideCursor: true,
      format: () => renderProgressLine(this.last, this.best, performance.now() - this.startedMs, style.cyan, style.dim),
    });
    this.bar.start(1, 0);
  }

  update(progress: JobProgress): void {
    this.last = progress;
    if (progress.bestLoss !== null) this.best.push(progress.bestLoss);
    this.bar.setTotal(Math.max(1, progress.budget));
    this.bar.update(progress.evaluations);
  }

  stop(): void {
    this.bar.stop();
  }
}

/** One line of the live view. */
export function renderProgressLine(
  progress: JobProgress | undefined,
  best: readonly number[],
  elapsedMs: number,
  accent: (text: string) => string = (text) => text,
  dim: (text: string) => string = accent,
): string {
  if (progress === undefined) return `waiting for the hub  ${dim(formatDuration(elapsedMs))}`;
  const { stage, evaluations, budget } = progress;
  const filled = bar(evaluations, budget, BAR_WIDTH);
  const loss = progress.bestLoss === null ? '' : `  best ${formatLoss(progress.bestLoss)}`;
  const counts = `${String(Math.ceil(evaluations)).padStart(String(budget).length)}/${budget}`;
  const stageName = (STAGES[stage] ?? stage).padEnd(10);
  return `${stageName} ${accent(filled)}${dim('·'.repeat(BAR_WIDTH - filled.length))} ${counts}${loss}  ${accent(lossCurve(best, CURVE_WIDTH))}  ${dim(formatDuration(elapsedMs))}`;
}

// Where nobody watches, a line for each stage and each tenth of the budget is enough for a log.
class ProgressLines implements ComposeProgress {
  private lastTenth = -1;
  private lastStage: string | undefined;

  constructor(private readonly terminal: Terminal) {}

  update(progress: JobProgress): void {
    const tenth = Math.floor((progress.evaluations * 10) / Math.max(1, progress.budget));
    if (tenth === this.lastTenth && progress.stage === this.lastStage) return;
    this.lastTenth = tenth;
    this.lastStage = progress.stage;
    const loss = progress.bestLoss === null ? '' : `, best loss ${formatLoss(progress.bestLoss)}`;
    this.terminal.err.write(
      `${STAGES[progress.stage] ?? progress.stage}: ${Math.ceil(progress.evaluations)} of ${progress.budget} evaluations${loss}\n`,
    );
  }

  stop(): void {}
}
