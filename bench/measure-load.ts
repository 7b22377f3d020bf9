// A process of its own that opens a base model, scores once and prints what that took: `node measure-load.js MODEL_DIRECTORY`.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadBaseModelFiles } from '#src/base-models/load-base-model-files.js';
import { openBedEngine } from './bench-engine.js';
import { tokenIds } from './bed.js';

const FLOAT32_BYTES = 4;

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: measure-load.js MODEL_DIRECTORY');
const { tensors } = await loadBaseModelFiles(directory);
const weights = [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
const start = performance.now();
const engine = await openBedEngine(directory, () => {
  throw new Error('no adapters here');
});
await engine.score([{ ids: tokenIds(0, 64), from: 48, mixture: [] }]);
const openMs = performance.now() - start;
// Freed pages go back to the system with a delay.
await sleep(2000);
const statuses = ['self', String(engine.workerPid)].map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
/** Of this process and its worker together. */
const kilobytes = (key: string): number =>
  statuses.reduce((sum, status) => sum + Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]), 0);
process.stdout.write(
  JSON.stringify({
    openMs,
    weightsBytes: weights * FLOAT32_BYTES,
    residentBytes: kilobytes('VmRSS') * 1024,
    peakBytes: kilobytes('VmHWM') * 1024,
  }),
);
await engine.close();
