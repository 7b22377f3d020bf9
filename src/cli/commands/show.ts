// `braid show`: everything about one base model, adapter or composition.
import { type Command } from 'commander';
import { HubError } from '../hub-http.js';
import { Invocation, type CliContext } from '../invocation.js';
import { versionedName } from '../options.js';
import { renderAdapter } from '../render/adapters.js';
import { renderComposition } from '../render/composition.js';
import { renderModel } from '../render/models.js';
import { type VersionedName } from '#src/ids/ids.js';

export function registerShow(program: Command, context: CliContext): void {
  program
    .command('show')
    .description('show a base model, an adapter or a composition')
    .argument('<name>', 'ns/name or ns/name@version', versionedName)
    .action(async (name: VersionedName, _options: unknown, command: Command) => {
      await show(new Invocation(context, command), name);
    });
}

/** A name means one thing on a hub: the routes are asked in turn until one knows it. */
async function show(invocation: Invocation, { name, version }: VersionedName): Promise<void> {
  const { hub, terminal } = invocation;
  const adapter = await unlessUnknown(hub.getAdapter(name, version), 'UNKNOWN_ADAPTER');
  if (adapter !== undefined) {
    invocation.show({ kind: 'adapter', ...adapter }, () => renderAdapter(adapter, terminal.style, new Date()));
    return;
  }
  const composition = await unlessUnknown(hub.getComposition(name, version), 'UNKNOWN_COMPOSITION');
  if (composition !== undefined) {
    invocation.show({ kind: 'composition', ...composition }, () =>
      renderComposition({ composition, hubUrl: hub.url, prompt: 'Once' }, terminal),
    );
    return;
  }
  const model = await hub.getBaseModel(name);
  invocation.show({ kind: 'base', ...model }, () => renderModel(model, terminal.style));
}

async function unlessUnknown<T>(promise: Promise<T>, code: string): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof HubError && error.code === code) return undefined;
    throw error;
  }
}
