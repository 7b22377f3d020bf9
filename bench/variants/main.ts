// `npm run bench -- variants`: what each variant costs beside plain LoRA of as many parameters: applying it to a batch, merging it, reading it,
// and publishing 100 MB of it. A random model in SmolLM2-135M's shape, adapters on q_proj and v_proj.
//   npm run bench -- variants [--rounds 7] [--json]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listLinearModules } from '#kernels/models/models.js';
import { loadBaseModelFiles } from '#src/base-models/load-base-model-files.js';
import { digestOf, type Digest } from '#src/ids/ids.js';
import { parseAdapterConfig } from '#src/peft/adapter-config.js';
import { variants } from '#src/peft/variants/variants.js';
import type { VariantName } from '#src/peft/variants/variant-name.js';
import { AdapterStore } from '#src/publish/adapter-store.js';
import { inspectAdapter } from '#src/publish/inspect-adapter.js';
import type { ScoreOptions } from '#src/runtime/engine.js';
import { openEngine } from '#src/runtime/model-engine.js';
import { FileObjectStore } from '#src/storage/file-object-store.js';
import { ensureBed, tokenIds } from '../bed.js';
import { median } from '../statistics.js';
import { writeLora, writeVariant, type WrittenAdapter } from './write-variants.js';

const ROWS = 5;
const LENGTH = 64;
const ANSWER = 16;
const MEGABYTES = 100;
const ALL_TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const { values: flags } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== 'variants'),
  options: { rounds: { type: 'string', default: '7' }, json: { type: 'boolean', default: false } },
});
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds must be a whole number from 1, not ${flags.rounds}`);

const bed = await ensureBed(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'braid', 'bench-bed'));
const base = await loadBaseModelFiles(bed.modelDirectory);
const modules = listLinearModules(base.config);
const root = mkdtempSync(join(tmpdir(), 'braid-bench-variants-'));
const objects = new FileObjectStore(join(root, 'objects'));
await objects.open();
const store = new AdapterStore(objects);
const engine = await openEngine({
  ...base,
  provider: 'cpu',
  threads: availableParallelism(),
  maxBatchRows: 16,
  maxQueue: 256,
  adapterMemoryBytes: 2 ** 31,
  adapters: store,
});

interface Published {
  readonly digest: Digest;
  readonly parameters: number;
  readonly bytes: number;
  /** Parsing, checking, measuring and storing, without the probe on the model. */
  readonly publishMs: number;
  /** Reading it back into factors. */
  readonly loadMs: number;
}

async function publish({ config, weights, parameters }: WrittenAdapter): Promise<Published> {
  const path = join(root, 'upload');
  writeFileSync(path, weights);
  const digest = digestOf(weights);
  const started = performance.now();
  const facts = await inspectAdapter(path, parseAdapterConfig(config), modules, () => Promise.resolve(base));
  await store.storeAdapter(facts, { name: 'adapter_model.safetensors', path, sizeBytes: weights.length, digest }, []);
  const publishMs = performance.now() - started;
  const loading = performance.now();
  await store.load(facts.digest);
  return { digest: facts.digest, parameters, bytes: weights.length, publishMs, loadMs: performance.now() - loading };
}

async function score(digest: Digest | undefined, application: NonNullable<ScoreOptions['application']>): Promise<number> {
  const mixture = digest === undefined ? [] : [{ digest, weight: 0.5 }];
  const rows = Array.from({ length: ROWS }, (_, row) => ({ ids: tokenIds(row, LENGTH), from: LENGTH - ANSWER, mixture }));
  const started = performance.now();
  await engine.score(rows, { application });
  return performance.now() - started;
}

/** LoRA with the same targets and as near as a whole rank comes to as many parameters. */
function writeLike({ parameters }: WrittenAdapter): WrittenAdapter {
  return writeLora(Math.max(1, Math.round(parameters / writeLora(1, modules).parameters)), modules);
}

const names = Object.keys(variants) as VariantName[];
const contestants = [];
for (const name of names) {
  process.stderr.write(`Publishing ${name} …\n`);
  const written = writeVariant(name, modules);
  contestants.push({ name, own: await publish(written), like: await publish(writeLike(written)) });
}
const samples = contestants.map(() => ({ own: [] as number[], like: [] as number[], merged: [] as number[], likeMerged: [] as number[] }));
const baseSamples = { factored: [] as number[], merged: [] as number[] };
for (let round = -1; round < rounds; round++) {
  process.stderr.write(round < 0 ? 'Warming up …\n' : `Round ${round + 1} of ${rounds} …\n`);
  const one = { factored: await score(undefined, 'factored'), merged: await score(undefined, 'merged') };
  if (round >= 0) {
    baseSamples.factored.push(one.factored);
    baseSamples.merged.push(one.merged);
  }
  for (const [i, { own, like }] of contestants.entries()) {
    // Pages are loaded by the first run under an adapter.
    for (const { digest } of [own, like]) await score(digest, 'factored');
    const found = {
      own: await score(own.digest, 'factored'),
      like: await score(like.digest, 'factored'),
      merged: await score(own.digest, 'merged'),
      likeMerged: await score(like.digest, 'merged'),
    };
    if (round >= 0) for (const [key, value] of Object.entries(found)) samples[i]?.[key as keyof typeof found].push(value);
  }
}
await engine.close();

const perHundred: { readonly name: string; readonly ms: number }[] = [];
for (const [name, useDora] of [
  ['LoRA, all linear modules', false],
  ['DoRA, all linear modules', true],
] as const) {
  process.stderr.write(`Publishing ${MEGABYTES} MB of ${name} …\n`);
  const rank = Math.round((MEGABYTES * 1e6) / writeLora(1, modules, ALL_TARGETS, useDora).weights.length);
  const { publishMs, bytes } = await publish(writeLora(rank, modules, ALL_TARGETS, useDora));
  perHundred.push({ name, ms: (publishMs * MEGABYTES * 1e6) / bytes });
}
rmSync(root, { recursive: true });

const rows = contestants.map(({ name, own, like }, i) => {
  const found = samples[i] ?? { own: [], like: [], merged: [], likeMerged: [] };
  return {
    variant: name,
    parameters: own.parameters,
    evaluationMs: median(found.own),
    overLora: median(found.own) / median(found.like),
    overBase: median(found.own) / median(baseSamples.factored),
    mergedMs: median(found.merged),
    mergedOverLora: median(found.merged) / median(found.likeMerged),
    publishMs: own.publishMs,
    loadMs: own.loadMs,
    loraLoadMs: like.loadMs,
  };
});
if (flags.json) {
  process.stdout.write(
    `${JSON.stringify({ rounds, baseMs: median(baseSamples.factored), baseMergedMs: median(baseSamples.merged), variants: rows, perHundred })}\n`,
  );
} else {
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  process.stdout.write(
    `One evaluation of ${ROWS} × ${LENGTH} tokens under one adapter, medians of ${rounds} rounds; the base alone ${ms(median(baseSamples.factored))}, in the merging session ${ms(median(baseSamples.merged))}.\n\n`,
  );
  const line = (cells: readonly string[]): void => {
    process.stdout.write(`| ${cells.join(' | ')} |\n`);
  };
  line(['variant', 'parameters', 'factored', 'of LoRA', 'of the base', 'merged', 'of LoRA', 'publish', 'load', 'LoRA’s load']);
  line(Array.from({ length: 10 }, (_, i) => (i === 0 ? '---' : '--:')));
  for (const row of rows) {
    line([
      row.variant,
      row.parameters.toLocaleString('en'),
      ms(row.evaluationMs),
      row.overLora.toFixed(2),
      row.overBase.toFixed(2),
      ms(row.mergedMs),
      row.mergedOverLora.toFixed(2),
      ms(row.publishMs),
      ms(row.loadMs),
      ms(row.loraLoadMs),
    ]);
  }
  for (const { name, ms: time } of perHundred)
    process.stdout.write(`Publishing ${MEGABYTES} MB of ${name}: ${(time / 1000).toFixed(1)} s without the probe on the model\n`);
}
