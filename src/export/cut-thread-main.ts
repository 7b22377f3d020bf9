// The thread that cut-thread.ts starts: one request, one answer.
import { parentPort, workerData } from 'node:worker_threads';
import { cutAdapter } from './cut-adapter.js';
import { type CutRequest } from './cut-thread.js';

const { adapter, modules, rank } = workerData as CutRequest;
parentPort?.postMessage(cutAdapter(adapter, modules, rank));
