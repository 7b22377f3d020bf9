// The key/value caches of the rows that are generating, kept in the worker between runs. Knows arrays, not ONNX Runtime.

/** One layer's keys and values: [rows, kvHeads, columns, headDim] each. */
export interface LayerKv {
  readonly key: Float32Array;
  readonly value: Float32Array;
}

/** Caches of some rows, right-padded to `columns`. */
export interface KvBlock {
  /** The rows, by the engine's key, in order. */
  readonly keys: readonly number[];
  readonly columns: number;
  readonly layers: readonly LayerKv[];
}

export interface KvShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

export class KvStore {
  private blocks: KvBlock[] = [];

  constructor(private readonly shape: KvShape) {}

  add(block: KvBlock): void {
    this.blocks.push(block);
  }

  clear(): void {
    this.blocks = [];
  }

  /**
   * Takes the named rows out as one block in this order and forgets all others; nothing is copied when they lie like that already.
   * @param lengths valid columns of each row; the block is exactly as wide as the longest
   * @throws Error when a row is not stored
   */
  take(keys: readonly number[], lengths: Int32Array): KvBlock {
    const columns = lengths.reduce((most, length) => Math.max(most, length), 0);
    const stored = this.blocks;
    this.blocks = [];
    const only = stored.length === 1 ? stored[0] : undefined;
    if (
      only !== undefined &&
      only.columns === columns &&
      only.keys.length === keys.length &&
      only.keys.every((key, row) => key === keys[row])
    )
      return only;

    const sources = keys.map((key) => {
      for (const block of stored) {
        const row = block.keys.indexOf(key);
        if (row >= 0) return { block, row };
      }
      throw new Error(`row ${key} has no stored cache`);
    });
    const { kvHeads, headDim } = this.shape;
    const copy = (layer: number, part: 'key' | 'value'): Float32Array => {
      const target = new Float32Array(keys.length * kvHeads * columns * headDim);
      for (const [row, { block, row: sourceRow }] of sources.entries()) {
        const source = block.layers[layer]?.[part];
        if (source === undefined) throw new Error(`layer ${layer} has no stored cache`);
        const valid = (lengths[row] ?? 0) * headDim;
        for (let head = 0; head < kvHeads; head++) {
          const from = (sourceRow * kvHeads + head) * block.columns * headDim;
          target.set(source.subarray(from, from + valid), (row * kvHeads + head) * columns * headDim);
        }
      }
      return target;
    };
    const layers = Array.from({ length: this.shape.layers }, (_, layer) => ({ key: copy(layer, 'key'), value: copy(layer, 'value') }));
    return { keys, columns, layers };
  }
}
