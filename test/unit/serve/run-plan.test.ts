// Running a plan against a scripted engine: what it is asked, in which order answers come, and that nothing goes on once nobody reads.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '#src/ids/ids.js';
import type { Engine, GeneratedToken, GenerateRequest, ScoreOptions, ScoreRow } from '#src/runtime/engine.js';
import type { CompositionPrompt } from '#src/registry/composition-version.entity.js';
import type { CompletionRequestDto } from '#src/serve/completion-request.dto.js';
import { planCompletion } from '#src/serve/plan-generation.js';
import { type IndexedPiece, runPlan } from '#src/serve/run-plan.js';
import { createTextCodec } from '#src/tokenizer/text-codec.js';
import { ObservedGeneration } from '#src/metrics/observed-generation.js';
import { byteLevelTokenizerFiles } from '#test/fixtures/tokenizers.js';

const codec = createTextCodec(byteLevelTokenizerFiles());
const mixture = [{ digest: digestOf('adapter'), weight: 0.5 }];

/** Answers every request with its prompt's last token over and over; each token waits for a turn of the event loop. */
class ScriptedEngine implements Engine {
  readonly contextLength = 64;
  readonly vocabularySize = 264;
  readonly hiddenSize = 4;
  readonly hasEncoder = false;
  readonly generated: GenerateRequest[] = [];
  readonly scored: { rows: readonly ScoreRow[]; options: ScoreOptions | undefined }[] = [];
  running = 0;
  mostRunning = 0;
  failAt: number | undefined;

  score(rows: readonly ScoreRow[], options?: ScoreOptions) {
    this.scored.push({ rows, options });
    return Promise.resolve(
      rows.map(({ ids, from }) => ({
        logprobs: Float32Array.from(ids.slice(from), (_, i) => -from - i),
        top: ids.slice(from).map((id) => ({ ids: [id], logprobs: [0] })),
      })),
    );
  }

  embed(): Promise<Float32Array[]> {
    throw new Error('nothing is embedded');
  }

  async *generate(request: GenerateRequest): AsyncGenerator<GeneratedToken> {
    const row = this.generated.push(request) - 1;
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      for (let i = 0; i < request.maxTokens; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        request.signal?.throwIfAborted();
        if (row === this.failAt) throw new Error('row failed');
        yield { id: request.ids.at(-1) ?? 0, logprob: -0.5, ...(i === request.maxTokens - 1 ? { finish: 'length' as const } : {}) };
      }
    } finally {
      this.running--;
    }
  }
}

function run(
  engine: ScriptedEngine,
  fields: Partial<CompletionRequestDto>,
  signal = new AbortController().signal,
  own: CompositionPrompt | null = null,
) {
  const plan = planCompletion({ model: 'a/b', prompt: 'a', ...fields }, codec, engine, own);
  const watch = new ObservedGeneration({ requestId: 'r', model: 'a/b', arrivedAtMs: 0 }, []);
  return runPlan(engine, codec, plan, { mixture, signal, watch, rowsAtATime: 16 });
}

async function collect(
  pieces: AsyncIterable<IndexedPiece>,
): Promise<Map<number, { text: string; logprobs: (number | null)[]; generated: number; finishes: number }>> {
  const choices = new Map<number, { text: string; logprobs: (number | null)[]; generated: number; finishes: number }>();
  for await (const { index, piece } of pieces) {
    const choice = choices.get(index) ?? { text: '', logprobs: [], generated: 0, finishes: 0 };
    choices.set(index, choice);
    choice.text += piece.text;
    choice.logprobs.push(...piece.tokens.map(({ logprob }) => logprob));
    choice.generated += piece.generatedTokens;
    if (piece.finish !== undefined) choice.finishes++;
  }
  return choices;
}

/** Waits until the engine has nothing running, at most a second. */
async function settle(engine: ScriptedEngine): Promise<void> {
  for (let i = 0; i < 100 && engine.running > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(engine.running, 0);
}

describe('running a plan', () => {
  test('every answer is a row with the mixture and a seed of its own', async () => {
    const engine = new ScriptedEngine();
    const choices = await collect(
      run(engine, { prompt: ['a', 'b'], n: 2, seed: 5, max_tokens: 3, temperature: 0.5, top_k: 4, top_p: 0.9 }),
    );
    assert.deepEqual([...choices.keys()].sort(), [0, 1, 2, 3]);
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => choices.get(index)?.text),
      ['aaa', 'aaa', 'bbb', 'bbb'],
    );
    assert.deepEqual(
      engine.generated.map(({ sampling }) => sampling.seed),
      [5, 6, 5, 6],
    );
    const [{ mixture: asked, sampling, stopTokens, stream } = assert.fail()] = engine.generated;
    const off = { minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 };
    assert.deepEqual(
      [asked, sampling, stopTokens, stream],
      [mixture, { temperature: 0.5, topK: 4, topP: 0.9, ...off, seed: 5 }, [1], false],
    );
    assert.deepEqual(engine.scored, []);
  });

  test('an echo with log-probabilities scores all prompts in one call, whatever n', async () => {
    const engine = new ScriptedEngine();
    const choices = await collect(run(engine, { prompt: [[5, 6, 7], [5], [8, 9]], n: 2, echo: true, logprobs: 1, max_tokens: 1 }));
    assert.equal(engine.scored.length, 1);
    assert.deepEqual(engine.scored[0]?.rows, [
      { ids: [5, 6, 7], from: 1, mixture },
      { ids: [8, 9], from: 1, mixture },
    ]);
    assert.equal(engine.scored[0]?.options?.topLogprobs, 1);
    assert.deepEqual(
      [0, 2, 5].map((index) => choices.get(index)?.logprobs),
      [
        [null, -1, -2, -0.5],
        [null, -0.5],
        [null, -1, -0.5],
      ],
    );
    assert.ok([...choices.values()].every(({ generated, finishes }) => generated === 1 && finishes === 1));
  });

  test('an echo behind a prompt of the model itself is scored given all of that, its first token too', async () => {
    const engine = new ScriptedEngine();
    const own = { examples: [{ prompt: 'a', completion: 'b' }], tokens: 4 };
    const found = await collect(run(engine, { prompt: [5, 6], echo: true, logprobs: 0, max_tokens: 1 }, new AbortController().signal, own));
    const ids = [...codec.encode('ab\n\n'), 5, 6];
    assert.deepEqual(engine.scored[0]?.rows, [{ ids, from: 5, mixture }]);
    assert.deepEqual(found.get(0)?.logprobs, [-5, -6, -0.5]);
    assert.deepEqual(engine.generated[0]?.ids, ids);
  });

  test('max_tokens 0 scores and generates nothing', async () => {
    const engine = new ScriptedEngine();
    const choices = await collect(run(engine, { prompt: 'abc', echo: true, logprobs: 0, max_tokens: 0 }));
    assert.deepEqual(choices.get(0), { text: 'abc', logprobs: [null, -1, -2, -3], generated: 0, finishes: 1 });
    assert.deepEqual(engine.generated, []);
  });

  test('one request runs a bounded number of rows at a time', async () => {
    const engine = new ScriptedEngine();
    const choices = await collect(run(engine, { prompt: Array.from({ length: 100 }, () => 'a'), max_tokens: 3 }));
    assert.equal(choices.size, 100);
    assert.equal(engine.mostRunning, 16);
  });

  test('a row that fails fails the request and ends the others', async () => {
    const engine = new ScriptedEngine();
    engine.failAt = 1;
    await assert.rejects(collect(run(engine, { prompt: ['a', 'b', 'c'], max_tokens: 40 })), /row failed/);
    await settle(engine);
    assert.ok(engine.generated.every(({ signal }) => signal?.aborted === true));
  });

  test('a stop string cancels its row alone', async () => {
    const engine = new ScriptedEngine();
    const choices = await collect(run(engine, { prompt: ['a', 'b'], stop: 'aa', max_tokens: 20 }));
    assert.deepEqual([choices.get(0)?.text, choices.get(1)?.text], ['', 'b'.repeat(20)]);
    assert.equal(choices.get(0)?.generated, 2);
    await settle(engine);
  });

  test('the client’s signal, and a reader that stops, end the engine’s work', async () => {
    const engine = new ScriptedEngine();
    const client = new AbortController();
    const pieces = run(engine, { prompt: ['a', 'b'], max_tokens: 40 }, client.signal);
    await pieces.next();
    client.abort();
    await assert.rejects(collect(pieces), (error: unknown) => error instanceof Error && error.name === 'AbortError');
    await settle(engine);
    for await (const piece of run(engine, { prompt: ['a', 'b'], max_tokens: 40 })) {
      assert.equal(piece.piece.generatedTokens, 1);
      break;
    }
    await settle(engine);
  });
});
