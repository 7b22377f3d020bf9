// Keeps published adapters: the files as they were uploaded, by their own digests, and for each adapter, by the digest of what it computes,
// a manifest that says which tensor is which factor. The runtime loads from these alone; no row is needed.
import { createReadStream } from 'node:fs';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type CanonicalAdapter } from '#kernels/lora/canonical-adapter.js';
import { type LinearModule } from '#kernels/lora/modules.js';
import { BraidError } from '#src/http/braid-error.js';
import { type Digest } from '#src/ids/ids.js';
import { digestOfAdapter } from '#src/peft/adapter-digest.js';
import { type PlannedModule, type PlannedTensor } from '#src/peft/planned-module.js';
import { readTensors, reduceModule } from '#src/peft/read-adapter.js';
import { type VariantName } from '#src/peft/variants/variant-name.js';
import { variants } from '#src/peft/variants/variants.js';
import { type AdapterSource } from '#src/runtime/sources.js';
import { ADAPTER_LIMITS, readSafetensorsHeader, type SafetensorsTensor } from '#src/safetensors/read-header.js';
import { isFloatDType } from '#src/safetensors/to-float32.js';
import { adapterFileKey, examplesKey, fileKey } from '#src/storage/keys.js';
import { OBJECT_STORE, type ObjectStore } from '#src/storage/object-store.js';
import { type AdapterFacts } from './inspect-adapter.js';
import { fail } from './publish.errors.js';
import { type UploadedFile } from './upload-storage.js';

const MANIFEST = 'manifest.json';
const MANIFEST_FORMAT = 'braid-adapter-3';
/** Without gains. */
const SECOND_FORMAT = 'braid-adapter-2';
/** Of plain LoRA alone, with A and B named by themselves. */
const FIRST_FORMAT = 'braid-adapter-1';
/** g − 1 of the modules whose variant measures it, float32, one after another in the manifest's order. */
const GAINS = 'gains.f32';
const FILE = 'adapter_model.safetensors';

/** Says how the weights file becomes the canonical adapter. Written by us alone. */
interface Manifest {
  readonly format: typeof MANIFEST_FORMAT;
  /** Digest of the weights file. */
  readonly weights: Digest;
  readonly modules: readonly ManifestModule[];
}

interface ManifestModule extends LinearModule {
  readonly rank: number;
  readonly scale: number;
  readonly variant: VariantName;
  /** Names of tensors, by what each is to the variant. */
  readonly tensors: Readonly<Record<string, string>>;
}

type FirstManifestModule = Omit<ManifestModule, 'variant' | 'tensors'> & { readonly a: string; readonly b: string };

@Injectable()
export class AdapterStore implements AdapterSource {
  private readonly logger = new Logger('publish');

  constructor(@Inject(OBJECT_STORE) private readonly objects: ObjectStore) {}

  /**
   * Stores what the runtime needs.
   * @param made takes the keys of objects that were not there, one by one, so that a caller knows them when a later one fails
   */
  async storeAdapter(facts: AdapterFacts, weights: UploadedFile, made: string[]): Promise<void> {
    const manifest: Manifest = {
      format: MANIFEST_FORMAT,
      weights: weights.digest,
      modules: facts.plan.map(({ module, rank, scale, variant, tensors }) => ({
        ...module,
        ...{ rank, scale, variant },
        tensors: Object.fromEntries(Object.entries(tensors).map(([role, { name }]) => [role, name])),
      })),
    };
    await this.storeFiles([weights], made);
    const gains = [...facts.gains.values()].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
    if (gains.length > 0) await this.storeOnce(adapterFileKey(facts.digest, GAINS), Buffer.concat(gains), made);
    // A manifest that is there names another file with the same factors, which does as well.
    await this.storeOnce(adapterFileKey(facts.digest, MANIFEST), Buffer.from(JSON.stringify(manifest)), made);
  }

  private async storeOnce(key: string, bytes: Buffer, made: string[]): Promise<void> {
    if ((await this.objects.find(key)) !== undefined) return;
    await this.objects.put(key, bytes);
    made.push(key);
  }

  /**
   * Stores files as they are.
   * @param made as of {@link storeAdapter}
   */
  async storeFiles(files: readonly UploadedFile[], made: string[]): Promise<void> {
    for (const file of files) {
      const key = keyOf(file);
      if ((await this.objects.find(key)) !== undefined) continue;
      await this.objects.putStream(key, createReadStream(file.path), file.sizeBytes);
      made.push(key);
    }
  }

  /** The bytes of a file as it was uploaded. @throws BraidError OBJECT_MISSING */
  async *readFile(digest: Digest): AsyncGenerator<Uint8Array> {
    yield* (await this.objects.getStream(fileKey(digest))) as AsyncIterable<Buffer>;
  }

  /** Takes objects of a publish that failed away again; one that cannot be removed is left, which costs space and nothing else. */
  async discard(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.objects
        .delete(key)
        .catch((error: unknown) => this.logger.warn('an object of a failed publish stays in the store', { key, err: error }));
    }
  }

  /**
   * The adapter with this digest, checked against it.
   * @throws BraidError OBJECT_MISSING, ADAPTER_DAMAGED
   */
  async load(digest: Digest): Promise<CanonicalAdapter> {
    const damaged = (reason: string, cause?: unknown) => fail('ADAPTER_DAMAGED', { digest, reason }, cause);
    const manifest = parseManifest(await this.objects.get(adapterFileKey(digest, MANIFEST)), damaged);
    const bytes = await this.objects.get(fileKey(manifest.weights));
    let adapter: CanonicalAdapter;
    try {
      const { tensors } = readSafetensorsHeader(bytes, ADAPTER_LIMITS, FILE);
      const bytesOf = ({ offset, length }: PlannedTensor) => bytes.subarray(offset, offset + length);
      const hasGains = manifest.modules.some(({ variant }) => variants[variant].measure !== undefined);
      const takeGain = cutGains(hasGains ? await this.objects.get(adapterFileKey(digest, GAINS)) : Buffer.alloc(0));
      adapter = {
        modules: manifest.modules.flatMap((entry) => {
          const planned = planOf(entry, tensors);
          const gain = variants[entry.variant].measure === undefined ? undefined : takeGain(entry.dOut);
          return reduceModule(planned, readTensors(planned, bytesOf, FILE), gain) ?? [];
        }),
      };
    } catch (error) {
      throw error instanceof BraidError || error instanceof TypeError ? damaged(error.message, error) : error;
    }
    const found = digestOfAdapter(adapter);
    if (found !== digest) throw damaged(`its factors have the digest ${found}`);
    return adapter;
  }
}

/** Few-shot examples have keys of their own; every other file is kept by its digest. */
function keyOf({ name, digest }: UploadedFile): string {
  return name === 'examples.jsonl' ? examplesKey(digest) : fileKey(digest);
}

function parseManifest(bytes: Uint8Array, damaged: (reason: string, cause?: unknown) => Error): Manifest {
  let manifest: Partial<Manifest>;
  try {
    manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<Manifest>;
  } catch (cause) {
    throw damaged('its manifest is not JSON', cause);
  }
  const { format, weights, modules } = manifest as { format?: string; weights?: Digest; modules?: ManifestModule[] };
  if (format === FIRST_FORMAT && weights !== undefined && Array.isArray(modules)) {
    const first = modules as unknown as readonly FirstManifestModule[];
    return {
      format: MANIFEST_FORMAT,
      weights,
      modules: first.map(({ a, b, ...module }) => ({ ...module, variant: 'lora', tensors: { a, b } })),
    };
  }
  if ((format !== MANIFEST_FORMAT && format !== SECOND_FORMAT) || weights === undefined || !Array.isArray(modules))
    throw damaged(`its manifest is not of format ${MANIFEST_FORMAT}`);
  return { format: MANIFEST_FORMAT, weights, modules };
}

/** Gives one module's gain after the other. */
function cutGains(bytes: Uint8Array): (length: number) => Float32Array {
  // An object's bytes may begin anywhere, float32 only at every fourth.
  const values = new Float32Array(new Uint8Array(bytes).buffer);
  let next = 0;
  return (length) => {
    if (next + length > values.length) throw new TypeError('its gains end too early');
    return values.slice(next, (next += length));
  };
}

function planOf(
  { rank, scale, variant, tensors: names, ...module }: ManifestModule,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): PlannedModule {
  const own = Object.fromEntries(Object.entries(names).map(([role, name]) => [role, tensorOf(name, tensors)]));
  return { module, variant, rank, scale, tensors: own };
}

function tensorOf(name: string, tensors: ReadonlyMap<string, SafetensorsTensor>): PlannedTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined || !isFloatDType(tensor.dtype)) throw new TypeError(`its weights have no tensor ${name}`);
  return { ...tensor, dtype: tensor.dtype, name };
}
