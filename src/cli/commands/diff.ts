// `braid diff`: how far two adapters or compositions change a model the same way.
import { type Command } from 'commander';
import { type VersionedName } from '#src/ids/ids.js';
import { Invocation, type CliContext } from '../invocation.js';
import { classList, nameAndVersion, versionedName } from '../options.js';
import { renderOverlap } from '../render/overlap.js';

interface DiffOptions {
  readonly targets?: readonly string[];
  readonly modules?: boolean;
}

export function registerDiff(program: Command, context: CliContext): void {
  program
    .command('diff')
    .summary('how far two adapters or compositions go the same way')
    .description(
      'Compare what two adapters or compositions of one base change: the subspaces of every module, and the cosine of the updates.',
    )
    .argument('<first>', 'ns/name or ns/name@version', versionedName)
    .argument('<second>', 'another of the same base', versionedName)
    .option('--targets <a,b>', 'only these classes of modules', classList)
    .option('--modules', 'a line for every module, however many there are')
    .addHelpText('after', '\nExample:\n  braid diff words/pick-first words/pick-last')
    .action(async (first: VersionedName, second: VersionedName, { targets, modules = false }: DiffOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const overlap = await invocation.hub.compareSpectra(nameAndVersion(first), nameAndVersion(second), targets);
      invocation.show(overlap, () => renderOverlap(overlap, modules, invocation.terminal));
    });
}
