// Weight files with adapters merged into them: shards, half precision, tensors of other types, and tied ends that must part.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import type { LinearClass } from '#kernels/lora/modules.js';
import { listLinearModules, parseModelConfig } from '#kernels/models/models.js';
import { createMergedWeights } from '#src/export/merged/merged-weights.js';
import { BraidError } from '#src/http/braid-error.js';
import { MODEL_LIMITS, readSafetensorsHeader } from '#src/safetensors/read-header.js';
import { type FloatDType, toFloat32 } from '#src/safetensors/to-float32.js';
import { createRandomTensors, largestDifference } from '#test/fixtures/random-tensors.js';
import { encodeSafetensors, type TensorToWrite } from '#test/fixtures/safetensors-file.js';
import { createTinyTensors, TINY_CONFIG } from '#test/fixtures/tiny-model.js';

const RANK = 3;
const modules = listLinearModules(parseModelConfig(TINY_CONFIG));
const folder = mkdtempSync(join(tmpdir(), 'braid-merged-'));
after(() => rmSync(folder, { recursive: true }));

function createAdapter(classes: readonly LinearClass[], size = 0.5): CanonicalAdapter {
  const random = createRandomTensors(31);
  return {
    modules: modules
      .filter((module) => classes.includes(module.class))
      .map(({ layer, class: linearClass, dIn, dOut }) => {
        const [a, b] = [RANK * dIn, dOut * RANK].map((count) => Float32Array.from(random.vector(count, size)));
        return { layer, class: linearClass, rank: RANK, scale: 0.7, a: a ?? new Float32Array(), b: b ?? new Float32Array() };
      }),
  };
}

/** Half precision by cutting float32, which every value of the tiny model's then is. */
function asStored({ shape, bytes }: TensorToWrite, dtype: FloatDType): TensorToWrite {
  if (dtype === 'F32') return { dtype, shape, bytes };
  const bits = new Uint32Array(new Uint8Array(bytes).buffer);
  const halves = Uint16Array.from(bits, (word) => {
    if (dtype === 'BF16') return word >>> 16;
    const exponent = (word >>> 23) & 0xff;
    return exponent < 113 ? 0 : ((word >>> 16) & 0x8000) | ((exponent - 112) << 10) | ((word >>> 13) & 0x3ff);
  });
  return { dtype, shape, bytes: new Uint8Array(halves.buffer) };
}

interface Written {
  readonly directory: string;
  readonly tensors: ReadonlyMap<string, TensorToWrite>;
}

let written = 0;

/** Tensors dealt to the files in turn; with several there is an index. */
function writeModel(dtype: FloatDType, files: readonly string[], extra: Readonly<Record<string, TensorToWrite>> = {}): Written {
  const directory = join(folder, String(written++));
  mkdirSync(directory);
  const tensors = new Map([
    ...Object.entries(createTinyTensors()).map(([name, tensor]) => [name, asStored(tensor, dtype)] as const),
    ...Object.entries(extra),
  ]);
  const names = [...tensors.keys()];
  for (const [f, file] of files.entries()) {
    const own = [...tensors].filter(([name]) => names.indexOf(name) % files.length === f);
    writeFileSync(join(directory, file), encodeSafetensors(Object.fromEntries(own), { format: 'pt', note: 'kept' }));
  }
  if (files.length > 1) {
    const weightMap = Object.fromEntries(names.map((name, i) => [name, files[i % files.length]]));
    writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
  }
  return { directory, tensors };
}

interface Merged {
  readonly isTied: boolean;
  readonly tensors: ReadonlyMap<string, TensorToWrite>;
  readonly files: readonly string[];
}

async function merge(adapter: CanonicalAdapter, directory: string, isTied: boolean): Promise<Merged> {
  const made = await createMergedWeights({ adapter, modules, directory, isTied });
  const tensors = new Map<string, TensorToWrite>();
  for (const file of made.files) {
    const pieces: Uint8Array[] = [];
    for await (const piece of file.read()) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    assert.equal(bytes.byteLength, file.sizeBytes);
    const header = readSafetensorsHeader(bytes, MODEL_LIMITS, file.name);
    assert.deepEqual([...header.tensors], [...file.tensors], 'tensors lie where they were announced');
    assert.equal(header.metadata.get('note'), 'kept');
    for (const [name, { dtype, shape, offset, length }] of header.tensors) {
      tensors.set(name, { dtype, shape, bytes: bytes.subarray(offset, offset + length) });
    }
  }
  return { isTied: made.isTied, tensors, files: made.files.map(({ name }) => name) };
}

/** W + s·B·A of a tensor, in float64, as its file has it. */
function expectedOf(adapter: CanonicalAdapter, linearClass: LinearClass, layer: number, base: Float32Array): number[] {
  const factors = adapter.modules.find((module) => module.class === linearClass && module.layer === layer);
  assert.ok(factors !== undefined);
  const { a, b, scale } = factors;
  const dIn = a.length / RANK;
  const isTurned = linearClass === 'embed_tokens';
  const columns = isTurned ? b.length / RANK : dIn;
  return Array.from(base, (weight, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const [output, input] = isTurned ? [column, row] : [row, column];
    let sum = weight;
    for (let r = 0; r < RANK; r++) sum += scale * (b[output * RANK + r] ?? NaN) * (a[r * dIn + input] ?? NaN);
    return sum;
  });
}

const valuesOf = (tensor: TensorToWrite | undefined): Float32Array =>
  tensor === undefined ? new Float32Array() : toFloat32(tensor.bytes, tensor.dtype as FloatDType);

const EXTRA = { 'model.rotary.counts': { dtype: 'I64', shape: [2], bytes: new Uint8Array(16).fill(3) } } as const;
/** Half a step of the type, relative. */
const STEPS = { F32: 2 ** -24, BF16: 2 ** -8, F16: 2 ** -11, F64: 0 } as const;

describe('merged weights', () => {
  for (const dtype of ['F32', 'BF16', 'F16'] as const) {
    for (const files of [['model.safetensors'], ['a-1.safetensors', 'a-2.safetensors', 'a-3.safetensors']]) {
      it(`${dtype} in ${files.length} file(s): what is adapted is rounded once, all else is the same bytes`, async () => {
        const adapter = createAdapter(['k_proj', 'down_proj']);
        const { directory, tensors } = writeModel(dtype, files, EXTRA);
        const merged = await merge(adapter, directory, true);
        assert.deepEqual([merged.files, merged.isTied], [files, true]);
        assert.deepEqual([...merged.tensors.keys()].sort(), [...tensors.keys()].sort());
        let adapted = 0;
        for (const [name, found] of merged.tensors) {
          const base = tensors.get(name);
          assert.ok(base !== undefined);
          assert.deepEqual([found.dtype, found.shape], [base.dtype, base.shape]);
          const module = modules.find(({ path, class: one }) => name === `${path}.weight` && ['k_proj', 'down_proj'].includes(one));
          if (module === undefined) {
            assert.deepEqual(Buffer.from(found.bytes), Buffer.from(base.bytes), name);
            continue;
          }
          adapted++;
          const values = valuesOf(found);
          for (const [i, value] of expectedOf(adapter, module.class, module.layer, valuesOf(base)).entries()) {
            const allowed = 1.001 * STEPS[dtype] * Math.abs(value) + 1e-7;
            assert.ok(Math.abs((values[i] ?? NaN) - value) <= allowed, `${name} ${i}: ${values[i]}, expected ${value}`);
          }
        }
        assert.equal(adapted, 4);
      });
    }
  }

  for (const [classes, extra] of [
    [['embed_tokens'], {}],
    [['lm_head'], {}],
    [['embed_tokens', 'lm_head'], { 'lm_head.weight': { dtype: 'F32', shape: [1], bytes: new Uint8Array(4) } }],
  ] as const) {
    it(`a tied model parts under ${classes.join(' and ')}${'lm_head.weight' in extra ? ', whatever copy its files have' : ''}`, async () => {
      const adapter = createAdapter(classes);
      const { directory, tensors } = writeModel('F32', ['a-1.safetensors', 'a-2.safetensors'], extra);
      const merged = await merge(adapter, directory, true);
      assert.equal(merged.isTied, false);
      const base = valuesOf(tensors.get('model.embed_tokens.weight'));
      for (const [name, linearClass] of [
        ['model.embed_tokens.weight', 'embed_tokens'],
        ['lm_head.weight', 'lm_head'],
      ] as const) {
        const isAdapted = (classes as readonly LinearClass[]).includes(linearClass);
        const expected = isAdapted ? expectedOf(adapter, linearClass, 0, base) : [...base];
        assert.ok(largestDifference([...valuesOf(merged.tensors.get(name))], expected) < 1e-6, name);
      }
    });
  }

  it('ends where a sum is more than the type can hold', async () => {
    const { directory } = writeModel('F16', ['model.safetensors']);
    await assert.rejects(
      merge(createAdapter(['q_proj'], 600), directory, true),
      (error) => error instanceof BraidError && error.code === 'EXPORT_OVERFLOWS' && /q_proj\.weight.*F16/.test(error.message),
    );
  });
});
