// `braid inspect`: what an adapter or composition changes, module by module.
import { type Command } from 'commander';
import { type VersionedName } from '#src/ids/ids.js';
import { Invocation, type CliContext } from '../invocation.js';
import { classList, nameAndVersion, versionedName } from '../options.js';
import { renderSpectra } from '../render/spectra.js';
import { drawSpectra } from '../render/spectra-picture.js';
import { assertWritable, writeText } from '../write-file.js';

interface InspectOptions {
  readonly targets?: readonly string[];
  readonly modules?: boolean;
  readonly svg?: string;
}

export function registerInspect(program: Command, context: CliContext): void {
  program
    .command('inspect')
    .summary('singular values, ranks and norms of an adapter or composition')
    .description(
      "Say what an adapter or composition changes: the singular values of every module's update, how many directions it truly has, and its norm beside the base's.",
    )
    .argument('<name>', 'ns/name or ns/name@version', versionedName)
    .option('--targets <a,b>', 'only these classes of modules', classList)
    .option('--modules', 'a line for every module, however many there are')
    .option('--svg <file>', 'write a picture there')
    .addHelpText('after', '\nExample:\n  braid inspect words/make-upper --svg make-upper.svg')
    .action(async (name: VersionedName, { targets, modules = false, svg }: InspectOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      if (svg !== undefined) await assertWritable(svg);
      const spectra = await invocation.hub.inspect(nameAndVersion(name), targets);
      if (svg !== undefined) {
        await writeText(svg, drawSpectra(spectra));
        invocation.note(`Wrote ${svg}`);
      }
      invocation.show(spectra, () => renderSpectra(spectra, modules, invocation.terminal));
    });
}
