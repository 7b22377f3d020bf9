// `braid show`: everything about one base model, adapter or composition.
import { type Command } from 'commander';
import { CliError } from '../cli-error.js';
import { HubError } from '../hub-http.js';
import { Invocation, type CliContext } from '../invocation.js';
import { versionedName } from '../options.js';
import { renderAdapter } from '../render/adapters.js';
import { renderComposition } from '../render/composition.js';
import { renderKnownEvaluations } from '../render/evaluations.js';
import { renderModel } from '../render/models.js';
import { printableLine } from '../terminal.js';
import { type VersionedName } from '#src/ids/ids.js';

export function registerShow(program: Command, context: CliContext): void {
  program
    .command('show')
    .description('show a base model, an adapter or a composition')
    .argument('<name>', 'ns/name or ns/name@version', versionedName)
    .option('--explain', 'of a composition: what each stage of the search did and spent')
    .action(async (name: VersionedName, { explain = false }: { explain?: boolean }, command: Command) => {
      await show(new Invocation(context, command), name, explain);
    });
}

/** A name means one thing on a hub: the routes are asked in turn until one knows it. */
async function show(invocation: Invocation, { name, version }: VersionedName, explain: boolean): Promise<void> {
  const { hub, terminal } = invocation;
  const near: string[] = [];
  const adapter = await unlessUnknown(hub.getAdapter(name, version), 'UNKNOWN_ADAPTER', near);
  if (adapter !== undefined) {
    const evaluations = await hub.listEvaluations(`${adapter.name}@${adapter.version}`);
    invocation.show(
      { kind: 'adapter', ...adapter, evaluations },
      () => `${renderAdapter(adapter, terminal.style, new Date())}${renderKnownEvaluations(evaluations, terminal.style, new Date())}`,
    );
    return;
  }
  const composition = await unlessUnknown(hub.getComposition(name, version), 'UNKNOWN_COMPOSITION', near);
  if (composition !== undefined) {
    const evaluations = await hub.listEvaluations(`${composition.name}@${composition.version}`);
    invocation.show(
      { kind: 'composition', ...composition, evaluations },
      () =>
        `${renderComposition({ composition, hubUrl: hub.url, prompt: '…', explain }, terminal)}${renderKnownEvaluations(evaluations, terminal.style, new Date())}`,
    );
    return;
  }
  const model = await unlessUnknown(hub.getBaseModel(name), 'UNKNOWN_BASE_MODEL', near);
  if (model === undefined) {
    const advice = near.length > 0 ? `Did you mean ${near.join(', ')}?` : 'braid list and braid models show what there is.';
    throw new CliError('UNKNOWN_MODEL', `There is no base model, adapter or composition ${name}. ${advice}`);
  }
  if (version !== undefined)
    throw new CliError('VERSION_OF_BASE_MODEL', `${name} is a base model, and base models have no versions: leave @${version} out.`);
  const evaluations = await hub.listEvaluations(model.name);
  invocation.show(
    { kind: 'base', ...model, evaluations },
    () => `${renderModel(model, terminal.style)}${renderKnownEvaluations(evaluations, terminal.style, new Date())}`,
  );
}

/** Undefined when the hub answers with `code`; the similar names that it gives then are added to `near`. */
async function unlessUnknown<T>(promise: Promise<T>, code: string, near: string[]): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== code) throw error;
    if (Array.isArray(error.fields.near)) near.push(...error.fields.near.map((name) => printableLine(String(name))));
    return undefined;
  }
}
