// The thread that decomposes: some seconds a module for high ranks, in which the hub answers others.
import { parentPort } from 'node:worker_threads';
import { compareModules } from './module-overlap.js';
import { describeSpectrum } from './module-spectrum.js';
import type { ThreadAnswers, ThreadRequest } from './with-spectra-thread.js';

function answer(request: ThreadRequest): ThreadAnswers[ThreadRequest['kind']] {
  switch (request.kind) {
    case 'spectrum':
      return describeSpectrum(request.module);
    case 'overlap':
      return compareModules(request.first, request.second);
  }
}

parentPort?.on('message', (request: ThreadRequest) => parentPort?.postMessage(answer(request)));
