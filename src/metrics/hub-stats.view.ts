// What GET /api/stats answers.
import { ApiProperty } from '@nestjs/swagger';

export class PercentilesView {
  @ApiProperty()
  readonly p50: number;
  @ApiProperty()
  readonly p99: number;
}

export class MinuteView {
  @ApiProperty({ description: 'Over the last ten seconds.' })
  readonly promptTokensPerSecond: number;
  @ApiProperty({ description: 'Over the last ten seconds.' })
  readonly generationTokensPerSecond: number;
  @ApiProperty({ description: 'That ended in the last minute.' })
  readonly answers: number;
  @ApiProperty({ type: PercentilesView, nullable: true, description: 'From arrival, in milliseconds; null where no answer began.' })
  readonly firstTokenMs: PercentilesView | null;
  @ApiProperty({ type: PercentilesView, nullable: true })
  readonly betweenTokensMs: PercentilesView | null;
}

export class ModelStatsView {
  @ApiProperty({ example: 'hf/smollm2' })
  readonly name: string;
  @ApiProperty({ description: 'Rows in the batch.' })
  readonly running: number;
  @ApiProperty({ description: 'Requests that have not run yet.' })
  readonly waiting: number;
  @ApiProperty({ description: 'Rows of searches and evaluations in the batch.' })
  readonly backgroundRunning: number;
  @ApiProperty()
  readonly backgroundWaiting: number;
  @ApiProperty({ description: 'What the key/value caches of the rows in the batch may come to.' })
  readonly cacheBytes: number;
  @ApiProperty()
  readonly cacheLimitBytes: number;
  @ApiProperty({ description: 'In memory.' })
  readonly adapters: number;
  @ApiProperty({ description: 'Of those adapters.' })
  readonly adapterPages: number;
  @ApiProperty()
  readonly adapterBytes: number;
  @ApiProperty()
  readonly adapterLimitBytes: number;
  @ApiProperty({ description: 'Since the model was opened, as the next three.' })
  readonly adapterLoads: number;
  @ApiProperty()
  readonly adapterEvictions: number;
  @ApiProperty()
  readonly workerRestarts: number;
  @ApiProperty()
  readonly runs: number;
  @ApiProperty({ type: MinuteView })
  readonly lastMinute: MinuteView;
}

export class RowStatsView {
  @ApiProperty({ description: 'The base model.' })
  readonly model: string;
  @ApiProperty({ description: 'ns/name@version, "mixture", or "" for the base alone.' })
  readonly adapter: string;
  @ApiProperty({ enum: ['waiting', 'prefill', 'decode'] })
  readonly state: 'waiting' | 'prefill' | 'decode';
  @ApiProperty()
  readonly promptTokens: number;
  @ApiProperty()
  readonly tokens: number;
  @ApiProperty({ description: 'Since the first token.' })
  readonly tokensPerSecond: number;
  @ApiProperty()
  readonly ageMs: number;
}

export class HubStatsView {
  @ApiProperty()
  readonly version: string;
  @ApiProperty()
  readonly uptimeMs: number;
  @ApiProperty({ type: [ModelStatsView], description: 'Base models that have been asked since the hub started.' })
  readonly models: readonly ModelStatsView[];
  @ApiProperty({ type: [RowStatsView], description: 'Answers under way, those that wait behind the others, the newest first, at most 50.' })
  readonly rows: readonly RowStatsView[];
  @ApiProperty({ description: 'All answers under way.' })
  readonly rowCount: number;
  @ApiProperty({
    type: 'object',
    nullable: true,
    additionalProperties: { type: 'integer' },
    description: 'Composition jobs by status; null while the database does not answer.',
  })
  readonly jobs: Readonly<Record<string, number>> | null;
}
