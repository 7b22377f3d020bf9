// Follows a composition job to its end.
import { type FollowOptions, followStream } from './follow-stream.js';
import { type HubClient } from './hub-client.js';
import { type JobProgress, type CompositionJobView } from './hub-views.js';

/**
 * Resolves to the job once it has ended: succeeded, failed or cancelled.
 * @throws CliError HUB_UNREACHABLE when the hub stays away; HubError UNKNOWN_JOB and what else the hub refuses
 */
export function followJob(hub: HubClient, id: string, options: FollowOptions<JobProgress>): Promise<CompositionJobView> {
  return followStream(
    {
      events: (position) => hub.jobEvents(id, position),
      view: () => hub.getJob(id),
      advice: `The job goes on if the hub does: braid jobs watch ${id}`,
    },
    options,
  );
}
