// Models of an encoder and a decoder: the prompt of a row is the text that the encoder reads, and the decoder begins behind its start token.
// Everything behind the door works on the decoder's tokens; the text travels with them.
import type { EmbedRow, GenerateRequest, ScoreRow } from './engine.js';
import type { SourceTexts } from './worker/protocol.js';

export interface WithSource {
  /** The text that the encoder reads; absent where the model has none. */
  readonly source?: readonly number[];
}

/** `startToken` is undefined for models without an encoder, whose rows stay as they are. */
export function splitScoreRow(row: ScoreRow, startToken: number | undefined): ScoreRow & WithSource {
  if (startToken === undefined) return row;
  return { ...row, ids: [startToken, ...row.ids.slice(row.from)], from: 1, source: row.ids.slice(0, row.from) };
}

/** A row that is to be averaged from its first token on has at least that one as its text. */
export function splitEmbedRow(row: EmbedRow, startToken: number | undefined): EmbedRow & WithSource {
  if (startToken === undefined) return row;
  const at = Math.max(1, row.from);
  const answer = row.ids.slice(at);
  return { ...row, ids: [startToken, ...answer], from: Math.min(1, answer.length), source: row.ids.slice(0, at) };
}

export function splitRequest(request: GenerateRequest, startToken: number | undefined): GenerateRequest & WithSource {
  return startToken === undefined ? request : { ...request, ids: [startToken], source: request.ids };
}

/** Texts side by side, right-padded with token 0; undefined where rows have none. */
export function padSources(rows: readonly WithSource[]): SourceTexts | undefined {
  const texts = rows.flatMap(({ source }) => (source === undefined ? [] : [source]));
  if (texts.length === 0) return undefined;
  if (texts.length < rows.length) throw new Error('some rows have a text for the encoder and others have none');
  const width = texts.reduce((most, { length }) => Math.max(most, length), 0);
  const ids = new BigInt64Array(texts.length * width);
  for (const [line, text] of texts.entries()) for (const [column, id] of text.entries()) ids[line * width + column] = BigInt(id);
  return { ids, lengths: Int32Array.from(texts, ({ length }) => length) };
}
