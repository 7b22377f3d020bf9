// What an objective is: which rows of tokens the model scores for an example, and what their losses come to. Searches, memory and workers know rows only.
import type { PlacedExample, TokenizedExample } from '#src/tokenizer/examples.js';
import type { Evaluate, ExampleLoss } from '../evaluate.js';

/** An objective on some examples. */
export interface ExampleMeasure {
  /** The examples with their own answers. */
  readonly examples: readonly TokenizedExample[];
  /** What is scored: the examples themselves, or more. */
  readonly rows: readonly TokenizedExample[];
  /** Indices into `rows`, each once. */
  readonly rowsOf: (example: number) => readonly number[];
  /** @param losses of the example's rows, in the order of `rowsOf` */
  readonly lossOf: (losses: readonly ExampleLoss[], example: number) => ExampleLoss;
}

/**
 * Tokens of examples as they are asked: plainly, or with others in the prompt.
 * Undefined where they cannot be asked so. @throws BraidError of examples
 */
export type Tokenize = (examples: readonly PlacedExample[]) => readonly TokenizedExample[] | undefined;

/** The words for an objective's numbers; stored with a report, so that whoever shows it needs no table. */
export interface ObjectiveWords {
  /** Of a loss: "nats". */
  readonly unit: string;
  /** What a loss is of, behind its unit: "per answer token". */
  readonly of: string;
  /** What a share of success is, behind the number: "exact answers". */
  readonly success: string;
  /** An example that is done in full: "exact". */
  readonly isExact: string;
  /** An example's own share of success, as a heading: "Chance". Absent where that is all or nothing. */
  readonly share?: string;
  /** Success in a sentence. */
  readonly explainsSuccess: string;
  /** An example's loss, and its share, in a sentence. */
  readonly explainsLoss: string;
}

export type RowLoss = (loss: ExampleLoss) => ExampleLoss;

/** One row an example, its answer. */
export function measureAnswers(examples: readonly TokenizedExample[], lossOf: RowLoss): ExampleMeasure {
  return {
    examples,
    rows: examples,
    rowsOf: (example) => [example],
    lossOf: ([loss]) => {
      if (loss === undefined) throw new Error('an example was not scored');
      return lossOf(loss);
    },
  };
}

/** The objective's losses from an evaluation of its rows. */
export function createMeasuredEvaluation({ rowsOf, lossOf }: ExampleMeasure, evaluateRows: Evaluate): Evaluate {
  return async (requests) => {
    const answers = await evaluateRows(requests.map(({ weights, examples }) => ({ weights, examples: examples.flatMap(rowsOf) })));
    return requests.map(({ examples }, i) => {
      const losses = answers[i] ?? [];
      let next = 0;
      return examples.map((example) => lossOf(losses.slice(next, (next += rowsOf(example).length)), example));
    });
  };
}
