// The soak's clients: each sends one request after another, of every kind, and obeys Retry-After.
import { setTimeout as sleep } from 'node:timers/promises';
import { BASE } from './hub-process.js';
import type { Tally } from './tally.js';

const WORDS = ['knife', 'ball', 'pine', 'tub', 'ice', 'bell', 'nail', 'snail'];
/** As often as a patient client sends a request that is refused. */
const MAX_ATTEMPTS = 60;
/** Between two requests of a client, at most. */
const PAUSE_MS = 200;

type Body = Readonly<Record<string, unknown>>;

interface Wish {
  readonly path: string;
  readonly body: Body;
  readonly isStream?: boolean;
  /** Names greedy answers that must be alike. */
  readonly isGreedy?: boolean;
}

/** Kinds of requests and their shares. */
const KINDS = [
  ['whole', 34],
  ['stream', 28],
  ['lorax', 8],
  ['score', 8],
  ['compare', 4],
  ['leave', 9],
  ['bad', 6],
  ['late', 3],
] as const;

export interface Grounds {
  readonly url: string;
  readonly adapters: readonly string[];
  readonly tally: Tally;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Sends requests until the signal fires; what is under way then is finished. */
export async function runClient(grounds: Grounds, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const kind = pickKind(grounds.random);
    grounds.tally.sent++;
    if (kind === 'bad') await sendBad(grounds);
    else if (kind === 'leave') await sendAndLeave(grounds);
    else if (kind === 'late') await sendLate(grounds);
    else await sendUntilAnswered(grounds, createWish(kind, grounds));
    await sleep(grounds.random() * PAUSE_MS);
  }
}

function pickKind(random: () => number): (typeof KINDS)[number][0] {
  let left = random() * KINDS.reduce((sum, [, share]) => sum + share, 0);
  for (const [kind, share] of KINDS) if ((left -= share) < 0) return kind;
  return 'whole';
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** One adapter in three requests, a mixture of two to six in the others. */
function createModel({ adapters, random }: Grounds): Body {
  if (random() < 1 / 3) return { model: pick(adapters, random) };
  const names = new Set(Array.from({ length: 2 + Math.floor(random() * 5) }, () => pick(adapters, random)));
  return { model: BASE, mixture: [...names].map((adapter) => ({ adapter, weight: Math.round(random() * 20) / 10 - 0.5 })) };
}

function createWish(kind: 'whole' | 'stream' | 'lorax' | 'score' | 'compare', grounds: Grounds): Wish {
  const { random, adapters } = grounds;
  const prompt = `? ?: ${Array.from({ length: 4 }, () => pick(WORDS, random)).join(' ')} =>`;
  const length = 4 + Math.floor(random() ** 3 * 120);
  switch (kind) {
    case 'whole': {
      // Few enough that each is asked again and again.
      if (random() < 0.3) {
        const body = { model: pick(adapters, random), prompt: '? ?: knife ball pine tub =>', max_tokens: 16, temperature: 0 };
        return { path: '/v1/completions', isGreedy: true, body };
      }
      const n = random() < 0.1 ? 4 : 1;
      return { path: '/v1/completions', body: { ...createModel(grounds), prompt, max_tokens: length, n, ignore_eos: true } };
    }
    case 'stream':
      return {
        path: '/v1/completions',
        isStream: true,
        body: { ...createModel(grounds), prompt, max_tokens: length, ignore_eos: true, stream: true },
      };
    case 'lorax':
      return { path: '/generate', body: { inputs: prompt, parameters: { adapter_id: pick(adapters, random), max_new_tokens: 12 } } };
    case 'score':
      return { path: '/v1/completions', body: { ...createModel(grounds), prompt, max_tokens: 0, echo: true, logprobs: 1 } };
    case 'compare': {
      const models = [BASE, ...new Set(Array.from({ length: 3 }, () => pick(adapters, random)))].map((model) => ({ model }));
      return { path: '/v1/compare', body: { models, prompt, max_tokens: 8, temperature: 0 } };
    }
  }
}

async function sendUntilAnswered(grounds: Grounds, wish: Wish): Promise<void> {
  const { tally } = grounds;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const waitSeconds = await attemptOnce(grounds, wish);
    if (waitSeconds === undefined) {
      if (attempt > 1) tally.retried++;
      return;
    }
    await sleep(waitSeconds * 1000);
  }
  tally.givenUp++;
}

/** @returns seconds after which to try again; undefined when it was answered, or when that would not help */
async function attemptOnce({ url, tally }: Grounds, wish: Wish): Promise<number | undefined> {
  const startedAt = performance.now();
  const response = await post(url, wish);
  if (response.status === 429 || response.status === 503) {
    const text = await response.text();
    if (response.status === 429) {
      tally.full++;
      tally.refusalsMs.push(performance.now() - startedAt);
    } else tally.unavailable++;
    const seconds = Number(response.headers.get('retry-after'));
    if (seconds >= 1 && seconds <= 30) return seconds;
    tally.blame(`${response.status} without a Retry-After: ${text.slice(0, 100)}`);
    return 1;
  }
  const text = await response.text();
  if (response.status !== 200) {
    tally.blame(`status ${response.status} for a good request: ${text.slice(0, 200)}`);
    return undefined;
  }
  const error = wish.isStream === true ? errorOfStream(text) : wish.path === '/v1/compare' ? errorOfComparison(text) : undefined;
  if (error !== undefined) {
    if (error !== 'worker_crashed' && error !== 'queue_full') tally.blame(`an answer ended with ${error}`);
    if (wish.isStream === true) {
      tally.cut++;
      return 1;
    }
  }
  tally.answer(startedAt);
  if (wish.isGreedy === true) {
    const { choices } = JSON.parse(text) as { choices: readonly { text: string }[] };
    tally.compare(JSON.stringify(wish.body), choices[0]?.text ?? '');
  }
  return undefined;
}

function errorOfStream(text: string): string | undefined {
  const events = text.split('\n\n').filter(Boolean);
  if (events.at(-1) !== 'data: [DONE]') return 'nothing, not even [DONE]';
  const last = JSON.parse((events.at(-2) ?? 'data: {}').slice('data: '.length)) as { error?: { code: string } };
  return last.error?.code;
}

/** A comparison is answered whole: what one model could not say, in a full queue say, is in its choice. */
function errorOfComparison(text: string): string | undefined {
  const { choices } = JSON.parse(text) as { choices: readonly { error?: { code: string } }[] };
  return choices.find(({ error }) => error !== undefined)?.error?.code;
}

/** Of every reason to refuse a request, some: each has a status of its own below 500. */
async function sendBad({ url, adapters, tally, random }: Grounds): Promise<void> {
  const model = pick(adapters, random);
  const bodies: readonly [Body | string, number][] = [
    [{ model: 'words/none', prompt: 'x' }, 404],
    [{ model, prompt: 'x', temperature: -1 }, 400],
    [{ model, prompt: 'knife '.repeat(500) }, 400],
    [{ model, prompt: 'x', max_tokens: 1e9 }, 400],
    [{ model, prompt: [1e6] }, 400],
    [{ model: BASE, prompt: 'x', mixture: [{ adapter: 'words/none', weight: 1 }] }, 404],
    [{ model, prompt: 'x', response_format: { type: 'json_object' } }, 400],
    ['{"model":', 400],
  ];
  const [body, status] = pick(bodies, random);
  const response = await post(url, { path: '/v1/completions', body: typeof body === 'string' ? {} : body }, {}, body);
  await response.text();
  if (response.status === status) tally.bad++;
  else tally.blame(`status ${response.status} instead of ${status} for a bad request`);
}

async function sendAndLeave(grounds: Grounds): Promise<void> {
  const { url, tally, random } = grounds;
  const wish = createWish(random() < 0.5 ? 'stream' : 'whole', grounds);
  const body = { ...wish.body, max_tokens: 200 };
  try {
    const response = await post(url, { ...wish, body }, { signal: AbortSignal.timeout(5 + Math.floor(random() * 400)) });
    await response.text();
    tally.left++;
  } catch (error) {
    // fetch rejects with the signal's reason when it is the signal's doing.
    if (error instanceof DOMException && error.name === 'TimeoutError') tally.left++;
    else tally.blame(`a connection broke: ${String(error)}`);
  }
}

async function sendLate(grounds: Grounds): Promise<void> {
  const { url, tally } = grounds;
  const wish = createWish('whole', grounds);
  const response = await post(url, { ...wish, body: { ...wish.body, max_tokens: 200 } }, { headers: { 'x-request-timeout': '0.05' } });
  await response.text();
  // A full queue or a dead worker may come first, and a quick answer in time.
  if ([200, 429, 503, 504].includes(response.status)) tally.late++;
  else tally.blame(`status ${response.status} for a request with a deadline`);
}

function post(
  url: string,
  { path, body }: Pick<Wish, 'path' | 'body'>,
  init: RequestInit = {},
  raw: Body | string = body,
): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    ...init,
    headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string> | undefined) },
    body: typeof raw === 'string' ? raw : JSON.stringify(raw),
  });
}
