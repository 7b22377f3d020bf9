// Finds the tokens that a batch of rows has in common: rows of one mixture that begin alike share the tokens of their beginning.
import type { Mixture } from './engine.js';
import type { TokenPacking } from './worker/protocol.js';

/** A row from its beginning. */
export interface PackedRow {
  readonly ids: readonly number[];
  /** Rows with equal keys are under one mixture. */
  readonly mixtureKey: number;
}

/**
 * One line of tokens for each mixture, in order of appearance, each token once for all rows that have the same tokens up to it.
 * @returns the packing, and the rows that the lines began with: whose mixture each line is under
 */
export function packTokens(rows: readonly PackedRow[]): { readonly packing: TokenPacking; readonly firstRows: readonly number[] } {
  const columns = rows.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const lines = new Map<number, Line>();
  const firstRows: number[] = [];
  const found = rows.map(({ ids, mixtureKey }, row) => {
    let line = lines.get(mixtureKey);
    if (line === undefined) {
      lines.set(mixtureKey, (line = { index: lines.size, places: [], children: new Map() }));
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

/** A number for each row, the same where mixtures are: they come in canonical form. */
export function numberMixtures(rows: readonly { readonly mixture: Mixture }[]): number[] {
  const numbers = new Map<string, number>();
  return rows.map(({ mixture }) => {
    const key = JSON.stringify(mixture);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}
