// Remembered evaluations: nothing is computed twice, whatever the order of adapters, the subset of examples or the moment of death.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Evaluate, ExampleLoss } from '#src/compose/evaluate.js';
import type { KnownLoss } from '#src/compose/evaluations/evaluation-store.js';
import { createRememberingEvaluation, type EvaluationMemory, type EvaluationScope } from '#src/compose/evaluations/remember-evaluations.js';
import { createRowId, digestOf } from '#src/ids/ids.js';

const scope: EvaluationScope = {
  base: { id: createRowId(), digest: digestOf('base') },
  candidates: [digestOf('a'), digestOf('b')],
  examples: [
    { ids: [1, 2, 3], from: 1 },
    { ids: [1, 2, 4], from: 2 },
    { ids: [9, 2], from: 1 },
  ],
  space: 'delta',
  precision: 'float32',
};

class MapMemory implements EvaluationMemory {
  readonly losses = new Map<string, KnownLoss>();
  find(keys: readonly string[]): Promise<Map<string, KnownLoss>> {
    return Promise.resolve(
      new Map(
        keys.flatMap((key) => {
          const loss = this.losses.get(key);
          return loss === undefined ? [] : [[key, loss] as const];
        }),
      ),
    );
  }
  add(_: unknown, losses: ReadonlyMap<string, KnownLoss>): Promise<boolean> {
    let allNew = true;
    for (const [key, loss] of losses) {
      if (this.losses.has(key)) allNew = false;
      else this.losses.set(key, loss);
    }
    return Promise.resolve(allNew);
  }
}

/** A loss that names weights and example, and a list of what was computed. */
function countingEvaluation(
  value = (weights: readonly number[], example: number): number => 100 * (weights[0] ?? 0) + 10 * (weights[1] ?? 0) + example,
): {
  evaluate: Evaluate;
  computed: string[];
  calls: () => number;
} {
  const computed: string[] = [];
  let calls = 0;
  const evaluate: Evaluate = (requests) => {
    calls++;
    return Promise.resolve(
      requests.map(({ weights, examples }) =>
        examples.map((example): ExampleLoss => {
          computed.push(`${weights.join()}/${example}`);
          const { ids = [], from = 0 } = scope.examples[example] ?? {};
          return { nll: value(weights, example), tokens: ids.length - from, isExact: example === 1 };
        }),
      ),
    );
  };
  return { evaluate, computed, calls: () => calls };
}

describe('createRememberingEvaluation', () => {
  it('answers as the evaluation does, in order, and computes each example once', async () => {
    const { evaluate, computed, calls } = countingEvaluation();
    const remembering = createRememberingEvaluation(evaluate, new MapMemory(), scope);
    const requests = [
      { weights: [1, 0.5], examples: [2, 0] },
      { weights: [0, 2], examples: [1] },
      { weights: [1, 0.5], examples: [0, 1] },
    ];
    const answers = await remembering(requests);
    assert.deepEqual(answers, await countingEvaluation().evaluate(requests));
    assert.deepEqual([...computed].sort(), ['0,2/1', '1,0.5/0', '1,0.5/1', '1,0.5/2']);
    assert.equal(calls(), 1, 'what is unknown is one batch');
    assert.deepEqual(await remembering(requests), answers);
    assert.equal(computed.length, 4);
  });

  it('the order of candidates and −0 mean nothing; base, weights, tokens, space and precision do', async () => {
    const memory = new MapMemory();
    const first = countingEvaluation();
    await createRememberingEvaluation(first.evaluate, memory, scope)([{ weights: [0.25, 0], examples: [0] }]);
    const again = async (changes: Partial<EvaluationScope>, weights: readonly number[]): Promise<number> => {
      const { evaluate, computed } = countingEvaluation();
      await createRememberingEvaluation(evaluate, memory, { ...scope, ...changes })([{ weights, examples: [0] }]);
      return computed.length;
    };
    assert.equal(await again({ candidates: [digestOf('b'), digestOf('a')] }, [-0, 0.25]), 0);
    assert.equal(await again({ candidates: [digestOf('c'), digestOf('a'), digestOf('d')] }, [0, 0.25, 0]), 0);
    assert.equal(await again({ examples: [{ ids: [1, 2, 3], from: 1 }] }, [0.25, 0]), 0);
    for (const [changes, weights] of [
      [{}, [0.25 + 2 ** -54, 0]],
      [{}, [0, 0.25]],
      [{}, [0, 0]],
      [{ base: { ...scope.base, digest: digestOf('other') } }, [0.25, 0]],
      [{ examples: [{ ids: [1, 2, 3], from: 2 }] }, [0.25, 0]],
      [{ examples: [{ ids: [12, 3], from: 1 }] }, [0.25, 0]],
      [{ space: 'factor' }, [0.25, 0]],
      [{ precision: 'int8' }, [0.25, 0]],
    ] as const) {
      assert.equal(await again(changes, weights), 1, JSON.stringify([changes, weights]));
    }
  });

  it('what is not finite is remembered as well', async () => {
    const { evaluate, computed } = countingEvaluation(() => Infinity);
    const remembering = createRememberingEvaluation(evaluate, new MapMemory(), scope);
    for (let i = 0; i < 2; i++) assert.equal((await remembering([{ weights: [1, 1], examples: [0] }]))[0]?.[0]?.nll, Infinity);
    assert.equal(computed.length, 1);
  });

  it('a long batch is written down in parts: a death in its middle loses the part in progress only', async () => {
    const long = { ...scope, examples: Array.from({ length: 12 }, (_, i) => ({ ids: new Array<number>(4_096).fill(i), from: 1 })) };
    const everything = [{ weights: [1, 0], examples: long.examples.map((_, i) => i) }];
    const memory = new MapMemory();
    const { evaluate, computed } = countingEvaluation();
    let calls = 0;
    const dying: Evaluate = (requests) => (++calls === 3 ? Promise.reject(new Error('killed')) : evaluate(requests));
    await assert.rejects(createRememberingEvaluation(dying, memory, long)(everything), /killed/);
    assert.equal(computed.length, 8);
    await createRememberingEvaluation(evaluate, memory, long)(everything);
    assert.equal(computed.length, 12);
    assert.equal(new Set(computed).size, 12);
  });

  it('who computes what another has just written answers with what was written', async () => {
    const memory = new MapMemory();
    const late = countingEvaluation(() => 2);
    const other = createRememberingEvaluation(countingEvaluation(() => 1).evaluate, memory, scope);
    const overtaken: Evaluate = async (requests) => {
      await other(requests);
      return late.evaluate(requests);
    };
    const [[answer] = []] = await createRememberingEvaluation(overtaken, memory, scope)([{ weights: [1, 1], examples: [0] }]);
    assert.equal(answer?.nll, 1);
  });

  it('an evaluation that answers too little is a fault, and nothing is written', async () => {
    const memory = new MapMemory();
    await assert.rejects(
      createRememberingEvaluation(() => Promise.resolve([[]]), memory, scope)([{ weights: [1, 1], examples: [0] }]),
      /no answer/,
    );
    assert.equal(memory.losses.size, 0);
  });
});
