// The adapters' bytes, for publishing and for the runtime.
import { Module } from '@nestjs/common';
import { AdapterStore } from './adapter-store.js';

@Module({ providers: [AdapterStore], exports: [AdapterStore] })
export class AdapterStoreModule {}
