// Reads what a Hugging Face model directory says about text: tokenizer.json, tokenizer_config.json, chat template, end-of-sequence tokens.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failTokenizer } from '#src/tokenizer/tokenizer.errors.js';

type Json = Record<string, unknown>;

export interface TokenizerFiles {
  /** tokenizer.json, its optional parts present (null where absent). */
  readonly tokenizer: Json;
  /** tokenizer_config.json as the tokenizer library reads it. */
  readonly tokenizerConfig: Json;
  /** Special tokens as plain strings by their names: `bos_token`, `eos_token` … */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** End-of-sequence ids named by generation_config.json and config.json. */
  readonly eosTokenIds: readonly number[];
  /** Jinja source. */
  readonly chatTemplate: string | undefined;
}

// Gemma 3's tokenizer.json, among the largest in use (262,144 entries), is 33 MB; parsing costs about ten times that in memory.
const MAX_TOKENIZER_BYTES = 128 * 2 ** 20;
/** Configurations and templates are a few kB; a template with a whole tool manual in it stays far below. */
const MAX_SMALL_FILE_BYTES = 4 * 2 ** 20;
const SPECIAL_TOKEN_NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;

/** @throws BraidError TOKENIZER_MISSING, TOKENIZER_INVALID */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
  const tokenizer = await readJson(directory, 'tokenizer.json', MAX_TOKENIZER_BYTES);
  if (tokenizer === undefined) throw failTokenizer('TOKENIZER_MISSING', { file: 'tokenizer.json' });
  const [config = {}, specialTokensMap = {}, generationConfig = {}, modelConfig = {}, templateFile] = await Promise.all([
    readJson(directory, 'tokenizer_config.json', MAX_SMALL_FILE_BYTES),
    readJson(directory, 'special_tokens_map.json', MAX_SMALL_FILE_BYTES),
    readJson(directory, 'generation_config.json', MAX_SMALL_FILE_BYTES),
    readJson(directory, 'config.json', MAX_SMALL_FILE_BYTES),
    readText(directory, 'chat_template.jinja', MAX_SMALL_FILE_BYTES),
  ]);
  const specialTokens: Record<string, string> = {};
  for (const name of SPECIAL_TOKEN_NAMES) {
    const token = tokenContent(config[name]) ?? tokenContent(specialTokensMap[name]);
    if (token !== undefined) specialTokens[name] = token;
  }
  const additional = config['additional_special_tokens'];
  return {
    tokenizer: normalizeTokenizer(tokenizer),
    tokenizerConfig: {
      ...config,
      ...specialTokens,
      additional_special_tokens: Array.isArray(additional) ? additional.flatMap((token) => tokenContent(token) ?? []) : [],
    },
    specialTokens,
    eosTokenIds: [...tokenIds(generationConfig['eos_token_id']), ...tokenIds(modelConfig['eos_token_id'])],
    chatTemplate: templateFile ?? findChatTemplate(config['chat_template']),
  };
}

/** `chat_template` of tokenizer_config.json: one template, or a list of named ones whose `default` serves plain chats. */
function findChatTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const entries: readonly unknown[] = value;
  const named = entries.find((entry) => isObject(entry) && entry['name'] === 'default');
  return isObject(named) && typeof named['template'] === 'string' ? named['template'] : undefined;
}

/** The library asks for every part, and reads added tokens from the outermost decoder alone. */
function normalizeTokenizer(tokenizer: Json): Json {
  const decoder = tokenizer['decoder'];
  const inner: unknown =
    isObject(decoder) && Array.isArray(decoder['decoders']) && decoder['decoders'].length === 1 ? decoder['decoders'][0] : decoder;
  return {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    ...tokenizer,
    added_tokens: tokenizer['added_tokens'] ?? [],
    decoder: inner ?? null,
  };
}

/** A special token is written as its text or as an AddedToken object. */
function tokenContent(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return isObject(value) && typeof value['content'] === 'string' ? value['content'] : undefined;
}

function tokenIds(value: unknown): number[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((id): id is number => typeof id === 'number' && Number.isInteger(id) && id >= 0);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readJson(directory: string, file: string, maxBytes: number): Promise<Json | undefined> {
  const text = await readText(directory, file, maxBytes);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw failTokenizer('TOKENIZER_INVALID', { file, reason: 'it is not JSON' }, cause);
  }
  throw failTokenizer('TOKENIZER_INVALID', { file, reason: 'it is not a JSON object' });
}

async function readText(directory: string, file: string, maxBytes: number): Promise<string | undefined> {
  const path = join(directory, file);
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw failTokenizer('TOKENIZER_INVALID', { file, reason: `it has ${size} bytes, at most ${maxBytes} are read` });
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
