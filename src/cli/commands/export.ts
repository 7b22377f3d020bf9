// `braid export`: an adapter or composition in the format of others, written here.
import { type Command, Option } from 'commander';
import { Invocation, type CliContext } from '../invocation.js';
import { versionedName, wholeNumber } from '../options.js';
import { renderExported } from '../render/exported.js';
import { printableLine } from '../terminal.js';
import { createTransferProgress } from '../transfer-progress.js';
import { assertExportTarget, writeExport } from '../write-export.js';
import { type VersionedName } from '#src/ids/ids.js';

const FORMATS = ['peft', 'gguf', 'merged', 'onnx'] as const;
/** As the hub has it. */
const MAX_RANK = 1024;

interface ExportOptions {
  readonly format: (typeof FORMATS)[number];
  readonly out: string;
  readonly rank?: number;
  readonly force?: true;
}

export function registerExport(program: Command, context: CliContext): void {
  program
    .command('export')
    .summary('write an adapter or composition as PEFT, GGUF, merged weights or ONNX')
    .description(
      'Write an adapter or composition in the format of others: peft (a folder), gguf (a LoRA file for llama.cpp), merged (the whole model, a folder) or onnx (the same with a graph for ONNX Runtime).',
    )
    .argument('<name>', 'ns/name or ns/name@version', versionedName)
    .addOption(new Option('--format <format>', 'what to write').choices(FORMATS).makeOptionMandatory())
    .requiredOption('--out <path>', 'the folder, of gguf the file, to write')
    .option('--rank <r>', 'cut modules of a greater rank to this one (peft, gguf)', wholeNumber(1, MAX_RANK))
    .option('--force', 'replace files that are there')
    .addHelpText('after', '\nExample:\n  braid export acme/upper-words --format gguf --out upper-words.gguf')
    .action(async ({ name, version }: VersionedName, options: ExportOptions, command: Command) => {
      const invocation = new Invocation(context, command);
      const { format, out, rank, force = false } = options;
      const isFolder = format !== 'gguf';
      await assertExportTarget(out, { isFolder, force });
      const found = await invocation.hub.getExport(name, format, { version, rank });
      for (const warning of found.warnings) invocation.note(`${invocation.terminal.errStyle.yellow('warning')}: ${printableLine(warning)}`);
      const progress = invocation.json ? undefined : createTransferProgress(invocation.terminal);
      try {
        await writeExport(invocation.hub, found, { out, isFolder, force, rank, onBytes: (done, total) => progress?.update(done, total) });
      } finally {
        progress?.stop();
      }
      invocation.show({ ...found, out }, () => renderExported(found, out, invocation.terminal.style));
    });
}
