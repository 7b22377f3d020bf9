// The worker process of one base model: takes messages one after another and is the only place where ONNX Runtime is loaded.
import type { FromWorker, ToWorker, WorkerFailure, WorkerSettings } from './protocol.js';
import { becomeExpendable } from './become-expendable.js';
import { openProvider, ProviderError } from './provider.js';
import { kindOf, SessionKeeper, SessionOpenError } from './session-keeper.js';

if (process.send === undefined) throw new Error('worker/main is started by a WorkerLink only');

let settings: WorkerSettings | undefined;
let keeper: SessionKeeper | undefined;
let idleTimer: NodeJS.Timeout | undefined;
let isAlone = false;
let tail: Promise<void> = Promise.resolve();

becomeExpendable();
process.on('message', (message: ToWorker) => enqueue(() => handle(message)));
// The hub is gone, however it ended: after the run in progress so is its worker.
process.once('disconnect', () => {
  isAlone = true;
  tail = tail.finally(() => process.exit());
});

function enqueue(work: () => Promise<void>): void {
  tail = tail.then(() => (isAlone ? undefined : work()));
}

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === 'crash') throw new Error('the worker was told to crash');
  // A failure while loading is a crash on purpose: the pages are in doubt, and a new process starts with clean ones.
  if (message.kind === 'load') {
    getKeeper().load(message.request);
    reply({ id: message.id, response: undefined });
    return;
  }
  try {
    switch (message.kind) {
      case 'open':
        settings = message.request;
        process.title = `braid worker: ${settings.directory}`;
        keeper = new SessionKeeper(await openProvider(settings), settings);
        reply({ id: message.id, response: undefined });
        return;
      case 'run': {
        const response = await getKeeper().run(message.request);
        if (kindOf(message.request) !== getKeeper().served) armIdleTimer();
        reply({ id: message.id, response });
        return;
      }
      case 'forget':
        getKeeper().forget(message.request);
        reply({ id: message.id, response: undefined });
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
  idleTimer = setTimeout(() => enqueue(async () => keeper?.releaseIdle()), settings?.idleSessionMs);
}

function describe(error: unknown): WorkerFailure {
  const found = error instanceof Error ? error.message : String(error);
  if (error instanceof ProviderError)
    return { code: 'PROVIDER_UNAVAILABLE', details: { provider: settings?.provider ?? '', found, advice: error.advice } };
  if (error instanceof SessionOpenError) return { code: 'MODEL_UNLOADABLE', details: { found } };
  return { code: 'RUN_FAILED', details: { found } };
}

function reply(message: FromWorker): void {
  // When the hub is gone there is nobody to tell, and 'disconnect' follows.
  process.send?.(message, () => undefined);
}
