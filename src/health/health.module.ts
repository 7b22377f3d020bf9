// The probes, apart from http: they ask database and object store, which themselves stand on http's errors.
import { Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';

@Module({ controllers: [HealthController] })
export class HealthModule {}
