// An evaluation as it runs, on standard error: a bar in a terminal, a line for each tenth elsewhere.
import { SingleBar } from 'cli-progress';
import { type EvaluationProgress } from './hub-views.js';
import { bar } from './render/bars.js';
import { formatDuration } from './render/quantities.js';
import { type Terminal } from './terminal.js';

export interface EvalProgress {
  update(progress: EvaluationProgress): void;
  /** Leaves the terminal as it was, the last state above. */
  stop(): void;
}

const BAR_WIDTH = 24;

/** Chooses by what standard error is. */
export function createEvalProgress(terminal: Terminal, model: string): EvalProgress {
  return terminal.err.isTTY === true ? new ProgressBar(terminal, model) : new ProgressLines(terminal, model);
}

class ProgressBar implements EvalProgress {
  private readonly bar: SingleBar;
  private last: EvaluationProgress | undefined;
  private readonly startedMs = performance.now();

  constructor(terminal: Terminal, model: string) {
    const { cyan, dim } = terminal.errStyle;
    this.bar = new SingleBar({
      stream: process.stderr,
      fps: 12,
      hideCursor: true,
      format: () => renderEvalLine(model, this.last, performance.now() - this.startedMs, cyan, dim),
    });
    this.bar.start(1, 0);
  }

  update(progress: EvaluationProgress): void {
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
  progress: EvaluationProgress | undefined,
  elapsedMs: number,
  accent: (text: string) => string = (text) => text,
  dim: (text: string) => string = accent,
): string {
  if (progress === undefined || progress.status === 'queued') return `${model}  waiting  ${dim(formatDuration(elapsedMs))}`;
  const { evaluated, total } = progress;
  const filled = bar(evaluated, total, BAR_WIDTH);
  const counts = `${String(evaluated).padStart(String(total).length)}/${total}`;
  return `${model}  ${accent(filled)}${dim('·'.repeat(BAR_WIDTH - filled.length))} ${counts} examples  ${dim(formatDuration(elapsedMs))}`;
}

// Where nobody watches, a line for each tenth is enough for a log.
class ProgressLines implements EvalProgress {
  private lastTenth = -1;

  constructor(
    private readonly terminal: Terminal,
    private readonly model: string,
  ) {}

  update({ evaluated, total }: EvaluationProgress): void {
    const tenth = Math.floor((evaluated * 10) / Math.max(1, total));
    if (tenth === this.lastTenth) return;
    this.lastTenth = tenth;
    this.terminal.err.write(`${this.model}: ${evaluated} of ${total} examples\n`);
  }

  stop(): void {}
}
