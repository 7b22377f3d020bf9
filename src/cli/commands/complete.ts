// `braid complete`: the text that a base model, an adapter or a composition writes after a prompt, token by token.
import { text as readAll } from 'node:stream/consumers';
import { Option, type Command } from 'commander';
import { CliError, EXIT } from '../cli-error.js';
import { hubErrorOf } from '../hub-http.js';
import { type CompletionView } from '../hub-views.js';
import { Invocation, type CliContext } from '../invocation.js';
import { mixture, versionedName, type MixturePart } from '../options.js';
import { addSamplingOptions, samplingFields, type SamplingOptions } from '../sampling-options.js';
import { printable } from '../terminal.js';

interface CompleteOptions extends SamplingOptions {
  readonly mixture?: readonly MixturePart[];
  readonly space: 'delta' | 'factor';
}

export function registerComplete(program: Command, context: CliContext): void {
  const command = program
    .command('complete')
    .summary('continue a prompt')
    .description('Continue a prompt with a base model, an adapter or a composition.')
    .argument('<model>', 'ns/name or ns/name@version', (text) => {
      versionedName(text);
      return text;
    })
    .argument('<prompt>', 'the text to continue, taken as it is; - reads it from standard input')
    .addHelpText('after', '\nExample:\n  braid complete acme/tiny "REVERSE UPPER: ab cd =>" --mixture acme/reverse=0.8,acme/upper=0.5');
  addSamplingOptions(command)
    .option('--mixture <adapter=weight,…>', 'add weighted adapters to a base model for this request', mixture)
    .addOption(new Option('--space <name>', 'with --mixture: what weights act on').choices(['delta', 'factor']).default('delta'))
    .action(async (model: string, prompt: string, options: CompleteOptions) => {
      const invocation = new Invocation(context, command);
      const request = createRequest(model, prompt === '-' ? await readAll(process.stdin) : prompt, options);
      if (invocation.json) {
        const completion = await invocation.hub.complete(request);
        invocation.show(completion, () => '');
        return;
      }
      await stream(invocation, request);
    });
}

function createRequest(model: string, prompt: string, options: CompleteOptions): Readonly<Record<string, unknown>> {
  const { mixture: parts, space } = options;
  return {
    model,
    prompt,
    ...samplingFields(options),
    ...(parts === undefined ? {} : { mixture: space === 'factor' ? { space, parts } : parts }),
  };
}

async function stream(invocation: Invocation, request: Readonly<Record<string, unknown>>): Promise<void> {
  const { terminal, context, hub } = invocation;
  const controller = new AbortController();
  let ended = false;
  let hasWritten = false;
  try {
    // Closing the connection tells the hub to stop generating.
    await context.interrupts.during(
      () => controller.abort(),
      async () => {
        for await (const event of hub.completionEvents(request, controller.signal)) {
          if (event.data === '[DONE]') {
            ended = true;
            continue;
          }
          const text = textOf(event.data);
          hasWritten ||= text !== '';
          terminal.out.write(printable(text));
        }
      },
    );
  } catch (error) {
    if (hasWritten) terminal.out.write('\n');
    if (controller.signal.aborted) throw new CliError('INTERRUPTED', 'Stopped.', EXIT.interrupted, { cause: error });
    throw error;
  }
  terminal.out.write('\n');
  if (!ended) throw new CliError('HUB_UNREACHABLE', 'The hub closed the stream before the text was complete. Try again.');
}

/** @throws HubError when the event carries an error */
function textOf(data: string): string {
  const chunk = JSON.parse(data) as Partial<CompletionView> & { readonly error?: unknown };
  const refused = hubErrorOf(chunk, 500);
  if (refused !== undefined) throw refused;
  return chunk.choices?.[0]?.text ?? '';
}
