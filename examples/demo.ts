// `npm run demo`: from an empty data folder to a table of composed against base, best single and uniform, all over the hub's own API;
// then the hub keeps serving. Options: see HELP below.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createAdapterForm } from '#src/cli/adapter-form.js';
import { CliError } from '#src/cli/cli-error.js';
import { createComposeProgress } from '#src/cli/compose-progress.js';
import { followJob } from '#src/cli/follow-job.js';
import { HubClient } from '#src/cli/hub-client.js';
import { Interrupts } from '#src/cli/interrupts.js';
import { bestSingle, curlLine } from '#src/cli/render/composition.js';
import { formatCount, formatDuration } from '#src/cli/render/quantities.js';
import { renderSearch } from '#src/cli/render/search.js';
import { createTerminal, type Terminal } from '#src/cli/terminal.js';
import { untilStopped } from '#src/cli/until-stopped.js';
import { parseConfiguration } from '#src/config/configuration.js';
import { createHub, type Hub } from '#src/start-hub.js';
import { renderTaskTable, type TaskRow } from './demo-table.js';
import { measureExactMatch, type TaskExample } from './exact-match.js';

const HELP = `npm run demo -- [options]
  --once           stop after the table
  --json           print the table as JSON (standard output holds nothing else)
  --data DIR       keep the hub's data there (default: a temporary folder, removed at the end)
  --port N         where to listen (default: 8400, or a free port when that is taken)
  --tasks N        how many unseen tasks (default: 4)
  --budget N       evaluations for each task (default: 200)
  --held-out N     test lines for each task (default: 50)
  --seed N         seed of the searches (default: 1)
`;

// dist/examples/demo.js → examples/tiny-words
const BUNDLE = fileURLToPath(new URL('../../examples/tiny-words', import.meta.url));
const BASE = 'braid/tiny-words';
const FEW_SHOT = 5;

interface DemoOptions {
  readonly tasks: number;
  readonly budget: number;
  readonly heldOut: number;
  readonly seed: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      data: { type: 'string' },
      port: { type: 'string' },
      tasks: { type: 'string', default: '4' },
      budget: { type: 'string', default: '200' },
      'held-out': { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  // With --json the story goes to standard error.
  const terminal = createTerminal(values.json ? process.stderr : process.stdout, process.stderr, process.env);
  const interrupts = new Interrupts();
  const data = values.data ?? (await mkdtemp(join(tmpdir(), 'braid-demo-')));
  const startedMs = performance.now();
  try {
    const hub = await startHub(data, values.port);
    try {
      const rows = await runDemo(hub, terminal, {
        tasks: Number(values.tasks),
        budget: Number(values.budget),
        heldOut: Number(values['held-out']),
        seed: Number(values.seed),
      });
      say(terminal, `\n${renderTaskTable(rows, terminal.style)}\nAll of it in ${formatDuration(performance.now() - startedMs)}.`);
      if (values.json) process.stdout.write(`${JSON.stringify({ rows }, null, 2)}\n`);
      if (!values.once) {
        interrupts.open();
        await sayHowToCall(hub, terminal, rows);
        await untilStopped(hub.app.getHttpServer(), interrupts, () => say(terminal, 'Stopping …'));
        return;
      }
    } finally {
      if (values.once) await hub.app.close();
    }
  } finally {
    interrupts.close();
    if (values.data === undefined) await rm(data, { recursive: true, force: true });
  }
}

async function runDemo(hub: Hub, terminal: Terminal, options: DemoOptions): Promise<TaskRow[]> {
  const client = new HubClient(hub.url);
  say(terminal, `${terminal.style.bold('1')}  A hub on its embedded database listens at ${hub.url}`);

  const model = await client.addBaseModel({ directory: join(BUNDLE, 'model'), name: BASE });
  say(terminal, `${terminal.style.bold('2')}  Base model ${BASE}: ${formatCount(model.parameterCount)} parameters, read where they lie`);

  const folders = await readdir(join(BUNDLE, 'adapters'));
  const publishMs = performance.now();
  for (const folder of folders.sort()) {
    const directory = join(BUNDLE, 'adapters', folder);
    const examples = join(directory, 'examples.jsonl');
    await client.publish(await createAdapterForm(directory, { name: `braid/${folder}`, base: BASE, examples }));
  }
  say(
    terminal,
    `${terminal.style.bold('3')}  ${folders.length} adapters published: checked, stored, verified on the model, in ${formatDuration(performance.now() - publishMs)}`,
  );

  const words = 'last word';
  say(terminal, `${terminal.style.bold('4')}  braid search "${words}"\n`);
  say(terminal, renderSearch(await client.search({ q: words, base: BASE, limit: 3 }), terminal));
  const candidates = await client.search({ q: '', base: BASE, kind: 'adapter', limit: 64 });
  const adapters = candidates.items.map(({ name, version }) => `${name}@${version}`);

  const tasks = (await readdir(join(BUNDLE, 'tasks'))).sort().slice(0, options.tasks);
  say(
    terminal,
    `${terminal.style.bold('5')}  ${tasks.length} tasks that no adapter was trained on, ${FEW_SHOT} examples each, at most ${options.budget} evaluations, ${adapters.length} candidates`,
  );
  const rows: TaskRow[] = [];
  for (const task of tasks) rows.push(await composeTask(client, terminal, task, adapters, options));
  return rows;
}

async function composeTask(
  client: HubClient,
  terminal: Terminal,
  task: string,
  adapters: readonly string[],
  { budget, seed, heldOut }: DemoOptions,
): Promise<TaskRow> {
  const examples = (await readTask(task, 'train')).slice(0, FEW_SHOT);
  const [first] = examples;
  say(terminal, `\n${terminal.style.bold(task)}  ${first === undefined ? '' : terminal.style.dim(`${first.prompt}${first.completion}`)}`);
  const startedMs = performance.now();
  const { id } = await client.startJob({ name: `demo/${task}`, base: BASE, examples, adapters: [...adapters], budget, seed });
  // Where nobody watches, the table says enough.
  const progress = terminal.err.isTTY === true ? createComposeProgress(terminal) : undefined;
  const job = await followJob(client, id, { onProgress: (state) => progress?.update(state) }).finally(() => progress?.stop());
  const { composition } = job;
  if (composition === null) throw new Error(`the job of ${task} ended as ${job.status}: ${job.error?.message ?? 'no reason given'}`);
  const seconds = (performance.now() - startedMs) / 1000;

  const { report } = composition;
  const single = bestSingle(report);
  const test = (await readTask(task, 'test')).slice(0, heldOut);
  // One token a character, and the end of the sequence.
  const maxTokens = Math.max(...test.map(({ completion }) => completion.length)) + 1;
  const uniform = adapters.map((adapter) => ({ adapter, weight: 1 / adapters.length }));
  const matches: number[] = [];
  for (const asked of [
    { model: BASE },
    { model: single === undefined ? BASE : `${single.adapter}@${single.version}` },
    { model: BASE, mixture: uniform },
    { model: `${composition.name}@${composition.version}` },
  ]) {
    matches.push(await measureExactMatch(client, asked, test, { maxTokens }));
  }
  return {
    task,
    model: composition.name,
    losses: [report.base.loss, single?.loss ?? null, report.uniform.loss, report.composed.loss],
    matches,
    evaluations: Math.ceil(report.evaluations),
    seconds,
  };
}

async function readTask(task: string, file: 'train' | 'test'): Promise<TaskExample[]> {
  const text = await readFile(join(BUNDLE, 'tasks', task, `${file}.jsonl`), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TaskExample);
}

/** Embedded homes whatever the environment says: the demo leaves no trace elsewhere. */
async function startHub(data: string, port: string | undefined): Promise<Hub> {
  const { BRAID_THREADS, BRAID_PROVIDER, BRAID_LOG_LEVEL = 'silent' } = process.env;
  const settings = { BRAID_THREADS, BRAID_PROVIDER, BRAID_LOG_LEVEL, BRAID_DATA: data };
  try {
    return await createHub(parseConfiguration({ ...settings, BRAID_PORT: port }));
  } catch (error) {
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (!taken || port !== undefined) throw error;
    return createHub(parseConfiguration({ ...settings, BRAID_PORT: '0' }));
  }
}

async function sayHowToCall(hub: Hub, terminal: Terminal, rows: readonly TaskRow[]): Promise<void> {
  const [row] = rows;
  if (row === undefined) return;
  const [example] = await readTask(row.task, 'test');
  say(terminal, `\nThe hub keeps serving. Call a composition (the answer should be "${example?.completion.trim() ?? ''}"):\n`);
  say(terminal, `${curlLine(hub.url, row.model, example?.prompt ?? '')}\n`);
  say(terminal, `or look around: npx braid list --url ${hub.url} · ${hub.url}/api/docs · Ctrl-C stops the hub.`);
}

function say(terminal: Terminal, text: string): void {
  terminal.out.write(`${text}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(
    `${basename(import.meta.filename)}: ${error instanceof CliError ? `${error.code}: ${error.message}` : String(error)}\n`,
  );
  process.exitCode = 1;
}
