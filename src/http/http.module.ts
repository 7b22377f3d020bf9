// What every route shares: errors, validation, and the end of connections.
import { Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { ConnectionDrain } from './connection-drain.js';
import { ErrorFilter } from './error.filter.js';
import { createValidationPipe } from './validation.pipe.js';

@Module({
  providers: [
    ConnectionDrain,
    { provide: APP_FILTER, useClass: ErrorFilter },
    { provide: APP_PIPE, useFactory: () => createValidationPipe() },
  ],
})
export class HttpModule {}
