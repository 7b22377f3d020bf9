// Serving: pages that are predicted are those that the engine takes for the same adapters, and allocates.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseDecoderConfig } from '#kernels/models/decoder-config.js';
import { listLinearModules } from '#kernels/models/models.js';
import { chooseAdaptedModules } from '#src/plan/adapted-modules.js';
import { planServing, type ServingOptions } from '#src/plan/plan-serving.js';
import { ModuleTable } from '#src/runtime/adapter-fit.js';
import { AdapterResidency } from '#src/runtime/adapter-residency.js';
import { PAGE_RANK } from '#src/runtime/engine-limits.js';
import { PageBank } from '#src/runtime/worker/page-bank.js';
import { DirectoryAdapters } from '#test/fixtures/engine.js';
import { listGoldenModels } from '#test/fixtures/golden.js';
import { readModelDirectory } from '#test/fixtures/model-directory.js';
import { LLAMA2_7B_CONFIG } from '#test/fixtures/plan-request.js';

const OPTIONS: ServingOptions = { storedFormat: 'fp32', adapters: 1, adapterMemoryBytes: 2 ** 30, rows: 4, context: 64 };

/** Adapters whose every module has the rank and the targets that their names say. */
const UNIFORM: Readonly<Record<string, { readonly rank: number; readonly targets: readonly string[] }>> = {
  'lora-r4-qv': { rank: 4, targets: ['q_proj', 'v_proj'] },
  'lora-r4-all': { rank: 4, targets: ['all-linear'] },
  'lora-r6-qv': { rank: 6, targets: ['q_proj', 'v_proj'] },
  'lora-r8-all': { rank: 8, targets: ['all-linear'] },
};

for (const model of listGoldenModels()) {
  for (const name of model.adapters.filter((adapter) => adapter in UNIFORM)) {
    it(`${model.name}, ${name}: as many bytes of pages as the engine takes and allocates`, async () => {
      const { rank, targets } = UNIFORM[name] ?? assert.fail();
      const directory = join(model.directory, 'model');
      const config = parseDecoderConfig(readModelDirectory(directory).config);
      const modules = listLinearModules(config);
      const bank = new PageBank(modules, PAGE_RANK);
      const allocated = (): number =>
        [...new Set(modules.map((module) => module.class))]
          .flatMap((linearClass) => [...bank.modules(linearClass).values()])
          .reduce((sum, { a, b }) => sum + a.byteLength + b.byteLength, 0);
      const empty = allocated();
      const source = new DirectoryAdapters(directory);
      const residency = new AdapterResidency({
        source,
        table: new ModuleTable(modules, PAGE_RANK),
        budgetBytes: 2 ** 30,
        load: (call) => bank.load(call),
      });
      await residency.acquire([source.add(join(model.directory, 'adapters', name))]);

      const { adapterBytes } = planServing(config, chooseAdaptedModules(config, targets, rank), OPTIONS);
      assert.equal(adapterBytes, residency.residentBytes);
      assert.equal(adapterBytes, allocated() - empty);
    });
  }
}

describe('LLaMA2-7B', () => {
  const config = parseDecoderConfig(LLAMA2_7B_CONFIG);
  const adapted = chooseAdaptedModules(config, ['q_proj', 'v_proj'], 4);

  it('a rank below a page takes a page, and the memory set aside bounds how many lie there at once', () => {
    const plan = planServing(config, adapted, { ...OPTIONS, adapters: 1000 });
    assert.equal(plan.adapterBytes, 32 * 2 * 8 * (4096 + 4096) * 4);
    assert.equal(plan.residentAdapters, 64);
    assert.equal(plan.loraBytes, plan.baseBytes + 64 * plan.adapterBytes + plan.kvBytes);
    assert.equal(plan.fullBytes, 1000 * plan.baseBytes + plan.kvBytes);
  });

  it('caches beyond the limit of the engine are not held at once', () => {
    const plan = planServing(config, adapted, { ...OPTIONS, rows: 16, context: 4096 });
    assert.equal(plan.kvBytesPerToken, 2 * 32 * 4096 * 4);
    assert.equal(plan.kvBytes, 16 * 4096 * plan.kvBytesPerToken);
    assert.equal(plan.loraBytes, plan.baseBytes + plan.adapterBytes + plan.kvLimitBytes);
  });

  it('an adapter larger than the memory set aside is never resident', () => {
    assert.equal(planServing(config, adapted, { ...OPTIONS, adapterMemoryBytes: 1024 }).residentAdapters, 0);
  });
});
