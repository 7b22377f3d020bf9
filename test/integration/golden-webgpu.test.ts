// Golden models on the WebGPU provider, where a GPU or SwiftShader is at hand: the same numbers as PEFT, in scoring and in the decode loop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LINEAR_CLASSES } from '#kernels/lora/modules.js';
import { GoldenProgram } from '#test/fixtures/golden-program.js';
import { listGoldenModels, readGoldenAdapter, type GoldenModel } from '#test/fixtures/golden.js';
import { generateRows, scoreRows } from '#test/fixtures/graph-session.js';
import { largestDifference } from '#test/fixtures/random-tensors.js';

const NO_DEVICE =
  'no WebGPU device: needs a GPU, or SwiftShader by VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json XDG_RUNTIME_DIR=/tmp (Debian: chromium-common)';

/** Opens a program on WebGPU; undefined where this machine has no device for it. */
async function openOnDevice(model: GoldenModel, mode: 'factored' | 'merged'): Promise<GoldenProgram | undefined> {
  try {
    return await GoldenProgram.open(model, mode, LINEAR_CLASSES, 'webgpu');
  } catch (error) {
    if (error instanceof Error && error.message.includes('WebGPU adapter')) return undefined;
    throw error;
  }
}

for (const model of listGoldenModels()) {
  for (const mode of ['factored', 'merged'] as const) {
    test(`${model.name} ${mode} on WebGPU agrees with PEFT`, async (context) => {
      const golden = await openOnDevice(model, mode);
      if (!golden) {
        context.skip(NO_DEVICE);
        return;
      }
      const adapter = model.adapters[0] ?? '';
      const expected = readGoldenAdapter(model, adapter);
      const prompts = expected.map(({ prompt }) => prompt);
      const adapterFeeds = golden.feeds(prompts.map(() => [{ adapter, weight: 1 }]));
      const rows = expected.map(({ prompt, target }) => ({ ids: [...prompt, ...target], from: prompt.length }));
      const logprobs = await scoreRows(golden.session, golden.program, rows, adapterFeeds);
      const difference = largestDifference(
        logprobs.flat().map((value) => -value),
        expected.flatMap(({ targetNll }) => targetNll),
      );
      assert.ok(difference < 1e-4, `negative log-likelihoods differ by ${difference}`);
      const tokens = await generateRows(golden.session, golden.program, prompts, { tokens: 8, chunk: 8, adapterFeeds });
      assert.deepEqual(
        tokens,
        expected.map(({ greedy }) => greedy),
      );
    });
  }
}
