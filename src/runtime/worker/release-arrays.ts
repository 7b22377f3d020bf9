// Frees large arrays when they are done with, not when the collector comes by: caches of long texts would pile up by the gigabyte.
import { MessageChannel } from 'node:worker_threads';

// What is transferred to a port that is closed is detached here and freed there. (ArrayBuffer.prototype.transfer does it from Node 22 on.)
const { port1: nowhere, port2: other } = new MessageChannel();
other.close();

/** Frees the arrays' memory; they have length 0 afterwards. */
export function releaseArrays(arrays: readonly Float32Array[]): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of arrays) if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) buffers.add(buffer);
  if (buffers.size > 0) nowhere.postMessage(undefined, [...buffers]);
}
