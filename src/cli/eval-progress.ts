// An evaluation, or other work that is counted, as it runs, on standard error: a bar in a terminal, a line for each tenth elsewhere.
import { SingleBar } from 'cli-progress';
import { type EvaluationProgress } from './hub-views.js';
import { bar } from './render/bars.js';
import { formatDuration } from './render/quantities.js';
import { type Terminal } from './terminal.js';

/** What is shown of an evaluation; of other work `evaluated` is what is done. */
export type CountedProgress = Pick<EvaluationProgress, 'status' | 'evaluated' | 'total'>;

export interface EvalProgress {
  update(progress: CountedProgress): void;
  /** Leaves the terminal as it was, the last state above. */
  stop(): void;
}

const BAR_WIDTH = 24;

/** Chooses by what standard error is. @param unit what is counted. @default 'examples' */
export function createEvalProgress(terminal: Terminal, model: string, unit = 'examples'): EvalProgress {
  return terminal.err.isTTY === true ? new ProgressBar(terminal, model, unit) : new ProgressLines(terminal, model, unit);
}

class ProgressBar implements EvalProgress {
  private readonly bar: SingleBar;
  private last: CountedProgress | undefined;
  private readonly startedMs = performance.now();

  constructor(terminal: Terminal, model: string, unit: string) {
    const { cyan, dim } = terminal.errStyle;
    this.bar = new SingleBar({
      stream: process.stderr,
      fps: 12,
      hideCursor: true,
      format: () => renderEvalLine(model, this.last, performance.now() - this.startedMs, unit, cyan, dim),
    });
    this.bar.start(1, 0);
  }

  update(progress: CountedProgress): void {
    this.last = progress;
    this.bar.setTotal(Math.max(1, progress.total));
    this.bar.update(progress.evaluated);
  }

  stop(): void {
    this.bar.stop();
  }
}

/** One line of the live view. */
export function renderEvalLine(
  model: string,
  progress: CountedProgress | undefined,
  elapsedMs: number,
  unit = 'examples',
  accent: (text: string) => string = (text) => text,
  dim: (text: string) => string = accent,
): string {
  if (progress === undefined || progress.status === 'queued') return `${model}  waiting  ${dim(formatDuration(elapsedMs))}`;
  const { evaluated, total } = progress;
  const filled = bar(evaluated, total, BAR_WIDTH);
  const counts = `${String(evaluated).padStart(String(total).length)}/${total}`;
  return `${model}  ${accent(filled)}${dim('·'.repeat(BAR_WIDTH - filled.length))} ${counts} ${unit}  ${dim(formatDuration(elapsedMs))}`;
}

// Where nobody watches, a line for each tenth is enough for a log.
class ProgressLines implements EvalProgress {
  private lastTenth = -1;

  constructor(
    private readonly terminal: Terminal,
    private readonly model: string,
    private readonly unit: string,
  ) {}

  update({ evaluated, total }: CountedProgress): void {
    const tenth = Math.floor((evaluated * 10) / Math.max(1, total));
    if (tenth === this.lastTenth) return;
    this.lastTenth = tenth;
    this.terminal.err.write(`${this.model}: ${evaluated} of ${total} ${this.unit}\n`);
  }

  stop(): void {}
}
