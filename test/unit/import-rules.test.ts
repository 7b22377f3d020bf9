// Every import rule of .dependency-cruiser.cjs must catch what it forbids, through relative paths and through #src/… alike.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const sandbox = mkdtempSync(join(tmpdir(), 'braid-imports-'));
after(() => rmSync(sandbox, { recursive: true }));

interface Violation {
  readonly rule: { readonly name: string };
  readonly from: string;
}

/** A file that breaks a rule: where it is, what it imports, and the rule's name. */
const forbidden: readonly (readonly [from: string, imports: string, rule: string])[] = [
  ['src/publish/circle-a.ts', './circle-b.js', 'no-circular'],
  ['src/publish/lost.ts', './nowhere.js', 'no-unresolvable'],
  ['src/publish/dev-package.ts', 'prettier', 'no-undeclared-package'],
  ['kernels/uses-ours.ts', '#src/ids/ids.js', 'kernels-stand-alone'],
  ['kernels/reads.ts', 'node:fs', 'kernels-stand-alone'],
  ['kernels/injects.ts', '@nestjs/common', 'kernels-stand-alone'],
  ['kernels/computes.ts', 'onnxruntime-node', 'kernels-stand-alone'],
  ['src/serve/tests.ts', '#test/fixture.js', 'product-needs-no-tests'],
  ['migrations/looks-up.ts', '#src/ids/ids.js', 'migrations-stand-alone'],
  ['src/publish/composes.ts', '#src/compose/target.js', 'adapters-come-before-compositions'],
  ['src/publish/composes-nearby.ts', '../compose/target.js', 'adapters-come-before-compositions'],
  ['src/search/serves.ts', '#src/serve/target.js', 'adapters-come-before-compositions'],
  ['src/registry/composes.ts', '../compose/target.js', 'adapters-come-before-compositions'],
  ['src/compose/serves.ts', '#src/serve/target.js', 'compose-does-not-serve'],
  ['src/evaluate/serves.ts', '#src/serve/target.js', 'evaluate-stands-alone'],
  ['src/compose/evaluates.ts', '#src/evaluate/target.js', 'nobody-needs-evaluations'],
  ['src/search/evaluates.ts', '#src/evaluate/target.js', 'adapters-come-before-compositions'],
  ['src/serve/exports.ts', '#src/export/target.js', 'nobody-needs-exports'],
  ['src/export/composes.ts', '#src/compose/target.js', 'exports-need-no-engine'],
  ['src/compose/counts.ts', '#src/metrics/target.js', 'metrics-look-on'],
  ['src/runtime/traces.ts', '../tracing/target.js', 'metrics-look-on'],
  ['src/metrics/answers.ts', '#src/serve/target.js', 'metrics-know-no-wire'],
  ['src/serve/counts.ts', 'prom-client', 'one-way-to-prometheus'],
  ['src/metrics/traces.ts', '@opentelemetry/api', 'one-way-to-opentelemetry'],
  ['src/gguf/publishes.ts', '#src/publish/target.js', 'file-formats-know-no-hub'],
  ['src/storage/looks-up.ts', '#src/publish/target.js', 'ground-floor'],
  ['src/registry/asks.ts', '#src/publish/target.js', 'registry-asks-nobody'],
  ['src/work/composes.ts', '#src/compose/target.js', 'long-work-knows-no-kind'],
  ['src/work/measures.ts', '#src/evaluate/target.js', 'long-work-knows-no-kind'],
  ['src/runtime/computes.ts', 'onnxruntime-node', 'engine-in-one-place'],
  ['src/runtime/pulls-worker.ts', './worker/target.js', 'worker-is-reached-by-messages'],
  ['src/serve/queries.ts', 'typeorm', 'sql-in-few-places'],
  ['src/registry/connects.ts', 'pg', 'one-way-to-postgres'],
  ['src/registry/embeds.ts', '@electric-sql/pglite', 'one-way-to-postgres'],
  ['src/publish/uploads.ts', 'minio', 'one-way-to-s3'],
  ['src/serve/commands.ts', '#src/cli/target.js', 'nobody-needs-the-command-line'],
  ['src/serve/parses-arguments.ts', 'commander', 'nobody-needs-the-command-line'],
  ['src/cli/reaches-in.ts', '#src/publish/target.js', 'commands-talk-http'],
  ['src/plan/reads.ts', 'node:fs', 'plans-need-no-hub'],
  ['src/plan/looks-up.ts', '#src/registry/target.js', 'plans-need-no-hub'],
  ['src/serve/inspects.ts', '#src/spectra/target.js', 'nobody-needs-spectra'],
  ['src/spectra/measures.ts', '#src/evaluate/target.js', 'spectra-know-factors-only'],
  ['src/checkpoints/looks-up.ts', '#src/registry/target.js', 'checkpoints-need-no-hub'],
  ['src/checkpoints/computes.ts', 'onnxruntime-node', 'checkpoints-need-no-hub'],
  ['src/compose/optimizers/reads.ts', 'node:fs', 'optimizers-are-pure'],
  ['src/compose/optimizers/looks-up.ts', '../target.js', 'optimizers-are-pure'],
  ['src/statistics/asks.ts', '#src/compose/target.js', 'statistics-stand-alone'],
  ['src/drawing/asks.ts', '#src/compose/target.js', 'drawing-stands-alone'],
  ['src/linear-algebra/asks.ts', '#src/compose/target.js', 'linear-algebra-stands-alone'],
];

/** Files that look similar and are allowed. */
const allowed: readonly (readonly [from: string, imports: string])[] = [
  ['src/compose/asks-publish.ts', '#src/publish/target.js'],
  ['src/export/asks-publish.ts', '#src/publish/target.js'],
  ['src/serve/asks-registry.ts', '../registry/target.js'],
  ['src/serve/announces.ts', '#src/metrics/target.js'],
  ['src/metrics/counts.ts', 'prom-client'],
  ['src/tracing/otlp-tracer.ts', '@opentelemetry/api'],
  ['src/runtime/worker/computes.ts', 'onnxruntime-node'],
  ['src/runtime/builds.ts', '#kernels/target.js'],
  ['src/search/reads-rows.ts', 'typeorm'],
  ['src/work/leases-rows.ts', 'typeorm'],
  ['src/work/asks-registry.ts', '#src/registry/target.js'],
  ['src/compose/optimizers/draws.ts', '#src/statistics/target.js'],
  ['src/database/connects.ts', 'pg'],
  ['src/storage/uploads.ts', 'minio'],
  ['src/cli/knows-ids.ts', '#src/ids/ids.js'],
  ['src/cli/plans.ts', '#src/plan/target.js'],
  ['src/cli/draws.ts', '#src/drawing/target.js'],
  ['src/cli/extracts.ts', '#src/checkpoints/target.js'],
  ['src/plan/counts.ts', '#kernels/target.js'],
  ['kernels/uses-itself.ts', './target.js'],
];

function write(path: string, text: string): void {
  mkdirSync(dirname(join(sandbox, path)), { recursive: true });
  writeFileSync(join(sandbox, path), text);
}

describe('the import rules', () => {
  let violations: readonly Violation[] = [];
  before(() => {
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) copyFileSync(join(root, file), join(sandbox, file));
    symlinkSync(join(root, 'node_modules'), join(sandbox, 'node_modules'));
    for (const target of [
      'src/ids/ids',
      'src/compose/target',
      'src/evaluate/target',
      'src/serve/target',
      'src/publish/target',
      'src/registry/target',
      'src/plan/target',
      'src/drawing/target',
      'src/spectra/target',
      'src/checkpoints/target',
      'src/statistics/target',
      'src/export/target',
      'src/metrics/target',
      'src/tracing/target',
      'src/cli/target',
    ]) {
      write(`${target}.ts`, 'export const value = 1;\n');
    }
    for (const target of ['src/runtime/worker/target', 'kernels/target', 'test/fixture'])
      write(`${target}.ts`, 'export const value = 1;\n');
    write('src/publish/circle-b.ts', `import './circle-a.js';\n`);
    write('src/cli/knows-types.ts', `import type { value } from '#src/publish/target.js';\nexport type Value = typeof value;\n`);
    for (const [from, imports] of [...forbidden, ...allowed])
      write(from, `import * as imported from '${imports}';\nexport { imported };\n`);

    const cli = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
    const found = spawnSync(
      process.execPath,
      [cli, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src', 'kernels', 'migrations'],
      {
        cwd: sandbox,
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    assert.ok(found.stdout.startsWith('{'), found.stderr);
    ({ violations } = (JSON.parse(found.stdout) as { summary: { violations: Violation[] } }).summary);
  });

  const rulesBroken = (from: string): string[] => violations.filter((violation) => violation.from === from).map(({ rule }) => rule.name);
  for (const [from, imports, rule] of forbidden) {
    it(`${rule}: ${from} may not import ${imports}`, () => assert.ok(rulesBroken(from).includes(rule), rulesBroken(from).join(', ')));
  }
  for (const [from, imports] of allowed) {
    it(`${from} may import ${imports}`, () => assert.deepEqual(rulesBroken(from), []));
  }
  it('lets commands know the types of other rooms', () => assert.deepEqual(rulesBroken('src/cli/knows-types.ts'), []));
  it('covers every rule', () => {
    const names = [...readFileSync(join(root, '.dependency-cruiser.cjs'), 'utf8').matchAll(/^ {6}name: '([a-z0-9-]+)'/gm)].map(
      ([, name]) => name,
    );
    assert.ok(names.length > 10);
    assert.deepEqual(
      names.filter((name) => !forbidden.some(([, , rule]) => rule === name)),
      [],
    );
  });
});
