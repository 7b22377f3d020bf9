// From examples of a new task to a weighted combination of adapters.
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RegistryModule } from '#src/registry/registry.module.js';
import { SearchModule } from '#src/search/search.module.js';
import { SignaturesModule } from '#src/signatures/signatures.module.js';
import { TokenizerModule } from '#src/tokenizer/tokenizer.module.js';
import { ComposeJob } from './jobs/compose-job.entity.js';
import { ComposeJobStore } from './jobs/compose-job.store.js';
import { ComposeController } from './compose.controller.js';
import { ComposeService } from './compose.service.js';
import { JobBroadcast } from './jobs/job-broadcast.js';
import { EvaluationStore } from './evaluations/evaluation-store.js';
import { EvaluationTaskStore } from './evaluations/evaluation-task.store.js';
import { EvaluationWorker } from './evaluations/evaluation-worker.service.js';
import { JobRetention } from './jobs/job-retention.service.js';
import { JobRunner } from './jobs/job-runner.service.js';
import { JobSearch } from './jobs/job-search.service.js';
import { JobViews } from './jobs/job-views.service.js';
import { RecomposeService } from './recompose.service.js';
import { RetrieveService } from './retrieve.service.js';
import { RewardHooks } from './rewards/reward-hooks.service.js';
import { ReportPageService } from './report-page.service.js';

// The engines come from RuntimeModule, which is global.
@Module({
  imports: [TypeOrmModule.forFeature([ComposeJob]), RegistryModule, SearchModule, SignaturesModule, TokenizerModule],
  controllers: [ComposeController],
  providers: [
    ComposeJobStore,
    EvaluationStore,
    EvaluationTaskStore,
    EvaluationWorker,
    JobBroadcast,
    JobSearch,
    JobRunner,
    JobRetention,
    JobViews,
    RetrieveService,
    RewardHooks,
    ComposeService,
    RecomposeService,
    ReportPageService,
  ],
  exports: [ComposeJobStore],
})
export class ComposeModule {}
