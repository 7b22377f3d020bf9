// The worker thread of one base model: takes messages one after another and is the only place where ONNX Runtime is loaded.
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, RunResult, ToWorker, WorkerData, WorkerFailure } from './protocol.js';
import { RunGate } from '../run-gate.js';
import { openProvider, ProviderError } from './provider.js';
import { kindOf, SessionKeeper, SessionOpenError } from './session-keeper.js';

const { settings, gateMemory } = workerData as WorkerData;
const gate = new RunGate(gateMemory);
const port = parentPort;
if (port === null) throw new Error('worker/main is started as a worker thread only');

let keeper: SessionKeeper | undefined;
let idleTimer: NodeJS.Timeout | undefined;
let isClosing = false;
let tail: Promise<void> = Promise.resolve();

port.on('message', (message: ToWorker) => {
  // Handlers of messages only run between runs, so this is seen before what was queued behind the run in progress.
  if (message.kind === 'close') isClosing = true;
  tail = tail.then(() => gate.pass(() => (isClosing ? close() : handle(message))));
});

/** Lets the thread end by itself: `terminate()` during a run would abort the whole process from inside ONNX Runtime's binding. */
async function close(): Promise<void> {
  clearTimeout(idleTimer);
  port?.close();
  await keeper?.releaseAll();
  keeper = undefined;
}

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === 'crash') throw new Error('the worker was told to crash');
  // A failure while loading is a crash on purpose: the pages are in doubt, and a new thread starts with clean ones.
  if (message.kind === 'load') {
    getKeeper().load(message.request);
    reply({ id: message.id, response: undefined });
    return;
  }
  try {
    switch (message.kind) {
      case 'open':
        keeper = new SessionKeeper(await openProvider(settings), settings);
        reply({ id: message.id, response: undefined });
        return;
      case 'run': {
        const response = await getKeeper().run(message.request);
        if (kindOf(message.request) !== getKeeper().served) armIdleTimer();
        reply({ id: message.id, response }, listBuffers(response));
        return;
      }
      case 'forget':
        getKeeper().forget(message.request);
        reply({ id: message.id, response: undefined });
        return;
      case 'close':
        await close();
        return;
    }
  } catch (error) {
    reply({ id: message.id, failure: describe(error) });
  }
}

function getKeeper(): SessionKeeper {
  if (keeper === undefined) throw new Error('the worker was not opened');
  return keeper;
}

function armIdleTimer(): void {
  clearTimeout(idleTimer);
  idleTimer = setTimeout(() => {
    tail = tail.then(() => gate.pass(async () => keeper?.releaseIdle()));
  }, settings.idleSessionMs);
}

function describe(error: unknown): WorkerFailure {
  const found = error instanceof Error ? error.message : String(error);
  if (error instanceof ProviderError)
    return { code: 'PROVIDER_UNAVAILABLE', details: { provider: settings.provider, found, advice: error.advice } };
  if (error instanceof SessionOpenError) return { code: 'MODEL_UNLOADABLE', details: { found } };
  return { code: 'RUN_FAILED', details: { found } };
}

function reply(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

function listBuffers({ tokens, logprobs, topIds, topValues, hidden }: RunResult): ArrayBuffer[] {
  return [tokens, logprobs, topIds, topValues, hidden].map(({ buffer }) => buffer as ArrayBuffer);
}
