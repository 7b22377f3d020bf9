// `braid models`: the base models of a hub, and registering one.
import { resolve } from 'node:path';
import { type Command } from 'commander';
import { type BaseModelView } from '../hub-views.js';
import { Invocation, type CliContext } from '../invocation.js';
import { repoName } from '../options.js';
import { renderModel, renderModels } from '../render/models.js';

export function registerModels(program: Command, context: CliContext): void {
  const models = program
    .command('models')
    .summary('list base models, or add one')
    .description('List the base models of a hub.')
    .action(async (_options: unknown, command: Command) => {
      const invocation = new Invocation(context, command);
      const items = await invocation.hub.listBaseModels();
      invocation.show({ items }, () => renderModels(items, invocation.terminal.style));
    });

  models
    .command('add')
    .description("register a Hugging Face model folder on the hub's machine; nothing is copied or converted")
    .argument('<dir>', "the folder, as the hub's machine sees it (a relative path is taken from here)")
    .requiredOption('--name <org/name>', 'the name to serve it under', repoName)
    .addHelpText('after', '\nExample:\n  braid models add ./SmolLM2-135M-Instruct --name hf/smollm2')
    .action(async (directory: string, options: { name: string }, command: Command) => {
      const invocation = new Invocation(context, command);
      invocation.note(`Reading the weights of ${options.name} …`);
      const model: BaseModelView = await invocation.hub.addBaseModel({ directory: resolve(directory), name: options.name });
      invocation.show(model, () => renderModel(model, invocation.terminal.style));
    });
}
