// Tells the streams of this process what its own jobs do between two writes to the database.
import { Injectable } from '@nestjs/common';
import type { RowId } from '#src/ids/ids.js';
import { WorkBroadcast } from '#src/work/work-broadcast.js';
import type { JobProgress } from '../compose.views.js';

@Injectable()
export class JobBroadcast extends WorkBroadcast {
  private readonly logs = new Map<RowId, { latest: JobProgress; readonly improvements: JobProgress[] }>();

  /** What a job that runs in this process did last; undefined for all others. */
  progressOf(id: RowId): JobProgress | undefined {
    return this.logs.get(id)?.latest;
  }

  /** Each report of a job that runs in this process that was better than all before it, in order; undefined for other jobs. */
  improvementsOf(id: RowId): readonly JobProgress[] | undefined {
    return this.logs.get(id)?.improvements;
  }

  report(id: RowId, progress: JobProgress): void {
    const log = this.logs.get(id) ?? { latest: progress, improvements: [] };
    this.logs.set(id, log);
    log.latest = progress;
    const { bestObjective } = progress;
    if (bestObjective !== null && bestObjective < (log.improvements.at(-1)?.bestObjective ?? Infinity)) log.improvements.push(progress);
    this.wake(id);
  }

  override end(id: RowId): void {
    this.logs.delete(id);
    super.end(id);
  }
}
