// A transfer as it runs, on standard error: a bar in a terminal, nothing elsewhere.
import { SingleBar } from 'cli-progress';
import { bar } from './render/bars.js';
import { formatBytes } from './render/quantities.js';
import { type Terminal } from './terminal.js';

export interface TransferProgress {
  update(doneBytes: number, totalBytes: number): void;
  /** Takes the bar away. */
  stop(): void;
}

const BAR_WIDTH = 24;

export function createTransferProgress(terminal: Terminal): TransferProgress {
  if (terminal.err.isTTY !== true) return { update: () => undefined, stop: () => undefined };
  let [done, total] = [0, 1];
  const { cyan, dim } = terminal.errStyle;
  const shown = new SingleBar({
    stream: process.stderr,
    fps: 12,
    hideCursor: true,
    clearOnComplete: true,
    format: () => `${cyan(bar(done, total, BAR_WIDTH))} ${formatBytes(done)} ${dim(`of ${formatBytes(total)}`)}`,
  });
  shown.start(1, 0);
  return {
    update: (doneBytes, totalBytes) => {
      [done, total] = [doneBytes, Math.max(1, totalBytes)];
      shown.setTotal(total);
      shown.update(done);
    },
    stop: () => shown.stop(),
  };
}
