// The key/value caches of rows between their runs, kept in the worker. Knows arrays, not ONNX Runtime.

import { releaseArrays } from './release-arrays.js';

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

interface Place {
  readonly block: KvBlock;
  readonly row: number;
}

/** Gives a block's memory back at once; its arrays are empty afterwards. */
export function releaseBlock({ layers }: KvBlock): void {
  releaseArrays(layers.flatMap(({ key, value }) => [key, value]));
}

export class KvStore {
  /** Where each row lies. */
  private readonly places = new Map<number, Place>();
  /** How many rows still lie in a block. */
  private readonly rowCounts = new Map<KvBlock, number>();

  constructor(private readonly shape: KvShape) {}

  add(block: KvBlock): void {
    for (const [row, key] of block.keys.entries()) this.places.set(key, { block, row });
    this.rowCounts.set(block, block.keys.length);
  }

  /** Lets rows go; rows that are not stored are fine. */
  forget(keys: readonly number[]): void {
    for (const block of this.remove(keys)) releaseBlock(block);
  }

  /**
   * Takes the named rows out as one block in this order; nothing is copied when they already are a block. It is the caller's to release.
   * @param lengths valid columns of each row; a copied block is as wide as the longest
   * @throws Error when a row is not stored
   */
  take(keys: readonly number[], lengths: Int32Array): KvBlock {
    const sources = keys.map((key) => {
      const place = this.places.get(key);
      if (place === undefined) throw new Error(`row ${key} has no stored cache`);
      return place;
    });
    const emptied = this.remove(keys);
    const block = sources[0]?.block;
    if (block?.keys.length === keys.length && sources.every((source, row) => source.block === block && source.row === row)) return block;

    const columns = lengths.reduce((most, length) => Math.max(most, length), 0);
    const layers = Array.from({ length: this.shape.layers }, (_, layer) => ({
      key: this.copyRows(sources, lengths, columns, layer, 'key'),
      value: this.copyRows(sources, lengths, columns, layer, 'value'),
    }));
    for (const source of emptied) releaseBlock(source);
    return { keys, columns, layers };
  }

  /** Forgets rows; returns the blocks that hold no row any more. */
  private remove(keys: readonly number[]): KvBlock[] {
    const emptied: KvBlock[] = [];
    for (const key of keys) {
      const block = this.places.get(key)?.block;
      if (block === undefined) continue;
      this.places.delete(key);
      const left = (this.rowCounts.get(block) ?? 1) - 1;
      if (left > 0) this.rowCounts.set(block, left);
      else {
        this.rowCounts.delete(block);
        emptied.push(block);
      }
    }
    return emptied;
  }

  private copyRows(sources: readonly Place[], lengths: Int32Array, columns: number, layer: number, part: keyof LayerKv): Float32Array {
    const { kvHeads, headDim } = this.shape;
    const target = new Float32Array(sources.length * kvHeads * columns * headDim);
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
  }
}
