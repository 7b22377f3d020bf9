// Finds the tokens that a batch of rows has in common: rows of one mixture, over one text where an encoder reads one, that begin alike share the
// tokens of their beginning.
import type { Mixture } from './engine.js';
import type { WithSource } from './source-rows.js';
import type { TokenPacking } from './worker/protocol.js';

/** A row from its beginning. */
export interface PackedRow {
  readonly ids: readonly number[];
  /** Rows with equal keys are of one line: under one mixture, over one text. */
  readonly lineKey: number;
}

/**
 * One line of tokens for each key, in order of appearance, each token once for all rows that have the same tokens up to it.
 * @returns the packing, and the rows that the lines began with: whose mixture and text each line has
 */
export function packTokens(rows: readonly PackedRow[]): { readonly packing: TokenPacking; readonly firstRows: readonly number[] } {
  const columns = rows.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const lines = new Map<number, Line>();
  const firstRows: number[] = [];
  const found = rows.map(({ ids, lineKey }, row) => {
    let line = lines.get(lineKey);
    if (line === undefined) {
      lines.set(lineKey, (line = { index: lines.size, places: [], children: new Map() }));
      firstRows.push(row);
    }
    return { line, tokens: addRow(line, ids, row * columns) };
  });

  const width = Math.max(...[...lines.values()].map(({ places }) => places.length));
  // Tokens that fill a shorter line, and places beyond a row's end, name the first of all: computed in vain, read by nobody.
  const uniquePlaces = new BigInt64Array(lines.size * width);
  for (const { index, places } of lines.values())
    for (const [column, place] of places.entries()) uniquePlaces[index * width + column] = BigInt(place);
  const tokenOfPlace = new BigInt64Array(rows.length * columns);
  for (const [row, { line, tokens }] of found.entries())
    for (const [column, token] of tokens.entries()) tokenOfPlace[row * columns + column] = BigInt(line.index * width + token);
  return { packing: { lines: lines.size, uniquePlaces, tokenOfPlace }, firstRows };
}

interface Line {
  readonly index: number;
  /** Of each token, the first place where it stands. */
  readonly places: number[];
  /** By the token before (−1 at the beginning), then by id: the token that follows. */
  readonly children: Map<number, Map<number, number>>;
}

/** The line's tokens at the row's places, new ones where it leaves what is there. */
function addRow({ places, children }: Line, ids: readonly number[], firstPlace: number): number[] {
  let before = -1;
  return ids.map((id, column) => {
    let following = children.get(before);
    if (following === undefined) children.set(before, (following = new Map<number, number>()));
    let token = following.get(id);
    if (token === undefined) {
      token = places.length;
      places.push(firstPlace + column);
      following.set(id, token);
    }
    return (before = token);
  });
}

/** A number for each row, the same where mixtures and texts are: mixtures come in canonical form. */
export function numberLines(rows: readonly ({ readonly mixture: Mixture } & WithSource)[]): number[] {
  const numbers = new Map<string, number>();
  return rows.map(({ mixture, source }) => {
    const key = JSON.stringify([mixture, source]);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}
