// Any model on examples: loss, exact match, accuracy, stored with the version. The engines come from RuntimeModule, which is global.
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RegistryModule } from '#src/registry/registry.module.js';
import { TokenizerModule } from '#src/tokenizer/tokenizer.module.js';
import { WorkBroadcast } from '#src/work/work-broadcast.js';
import { EvaluateController } from './evaluate.controller.js';
import { EvaluateService } from './evaluate.service.js';
import { EvaluationRunner } from './evaluation-runner.service.js';
import { EvaluationStore } from './evaluation.store.js';
import { ModelEvaluation } from './model-evaluation.entity.js';

@Module({
  imports: [TypeOrmModule.forFeature([ModelEvaluation]), RegistryModule, TokenizerModule],
  controllers: [EvaluateController],
  providers: [EvaluationStore, WorkBroadcast, EvaluationRunner, EvaluateService],
})
export class EvaluateModule {}
