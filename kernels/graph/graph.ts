// The graph builder: every typed op, plus the two control-flow ops whose bodies are graphs themselves.
import { GraphError } from './errors.js';
import type { GraphModel, TensorType } from './model.js';
import { QuantizedOps } from './quantized-ops.js';
import type { ModelState } from './scope.js';
import { isSameShape, type Dim, type Shape } from './shapes.js';
import { describeValue, type Value } from './values.js';
import { verifyGraph } from './verify.js';

/** A value that a loop hands from one step to the next. */
export interface CarriedValue {
  readonly name: string;
  readonly initial: Value;
  /** Its shape inside the body, when a dimension changes from step to step: those dimensions get symbols of their own. @default initial's shape */
  readonly shape?: Shape;
  /** Name of its value after the last step. */
  readonly finalName: string;
}

export interface LoopBodyResult {
  /** Scalar: false ends the loop after this step. */
  readonly proceed: Value<'bool'>;
  /** The carried values for the next step, in the order of `carried`. */
  readonly carried: readonly Value[];
  /** Collected over the steps under `name`: each gets a leading dimension of steps done. */
  readonly collected: readonly { readonly name: string; readonly value: Value }[];
}

export interface LoopDraft {
  readonly name: string;
  /** Scalar int64: the most steps. */
  readonly steps: Value<'int64'>;
  readonly carried: readonly CarriedValue[];
  /** Symbols that stand for another length in every step. */
  readonly varyingDims: readonly Dim[];
  /** Symbol of the number of steps done. */
  readonly stepDim: Dim;
  readonly body: (graph: Graph, iteration: Value<'int64'>, carried: readonly Value[]) => LoopBodyResult;
}

export class Graph extends QuantizedOps {
  /** An outermost graph. `expandableDims` are symbols that are 1 or equal to the dimension they broadcast with. */
  static create(name: string, options: { expandableDims?: readonly string[] } = {}): Graph {
    const state: ModelState = { names: new Set(), initializers: new Map(), expandableDims: new Set<Dim>(options.expandableDims ?? []) };
    return new Graph(name, state);
  }

  /** ONNX Loop. The body sees every value around it; the first step always runs. */
  loop(draft: LoopDraft): { carried: readonly Value[]; collected: readonly Value[] } {
    const { name } = draft;
    const body = new Graph(`${name}.body`, this.state, this);
    const iteration = body.input(`${name}.iteration`, 'int64', []);
    body.input(`${name}.proceed`, 'bool', []);
    const carriedIn = draft.carried.map(({ name: carriedName, initial, shape }) =>
      body.input(`${name}.${carriedName}`, initial.dtype, shape ?? initial.shape),
    );
    const result = draft.body(body, iteration, carriedIn);
    if (result.carried.length !== carriedIn.length)
      throw new GraphError(`${name}: the body returns ${result.carried.length} of ${carriedIn.length} carried values`);

    const varying = new Set(draft.varyingDims);
    const isCarriable = (from: Dim, to: Dim | undefined): boolean => from === to || (to !== undefined && varying.has(to));
    for (const [index, next] of result.carried.entries()) {
      const inside = carriedIn[index];
      const initial = draft.carried[index]?.initial;
      if (!inside || !initial) continue;
      for (const source of [initial, next]) {
        const fits = source.shape.length === inside.shape.length && source.shape.every((dim, axis) => isCarriable(dim, inside.shape[axis]));
        if (source.dtype !== inside.dtype || !fits)
          throw new GraphError(`${name}: ${describeValue(source)} cannot be carried as ${describeValue(inside)}`);
      }
    }

    const outputs: TensorType[] = [
      ...result.carried.map(({ dtype, shape }, index) => ({ name: draft.carried[index]?.finalName ?? '', dtype, shape })),
      ...result.collected.map(({ name: collectedName, value }) => ({
        name: collectedName,
        dtype: value.dtype,
        shape: [draft.stepDim, ...value.shape],
      })),
    ];
    const condition = this.constantTrue();
    this.emitNode(
      {
        op: 'Loop',
        inputs: [draft.steps, condition, ...draft.carried.map(({ initial }) => initial)],
        attributes: {
          body: { type: 'graph', value: body.finish([result.proceed, ...result.carried, ...result.collected.map(({ value }) => value)]) },
        },
        name,
      },
      outputs,
    );
    const values = outputs.map((output) => ({ ...output, scope: this.id }));
    return { carried: values.slice(0, carriedIn.length), collected: values.slice(carriedIn.length) };
  }

  /** ONNX If with one result: both branches must give the same type and shape. */
  branch<V extends Value>(condition: Value<'bool'>, branches: { then: (graph: Graph) => V; else: (graph: Graph) => V }, name: string): V {
    const build = (which: 'then' | 'else'): { value: V; model: GraphModel } => {
      const scope = new Graph(`${name}.${which}`, this.state, this);
      const value = branches[which](scope);
      const output = value.scope === scope.id ? value : scope.identity(value, `${name}.${which}.result`);
      return { value, model: scope.finish([output]) };
    };
    const [taken, other] = [build('then'), build('else')];
    if (taken.value.dtype !== other.value.dtype || !isSameShape(taken.value.shape, other.value.shape)) {
      throw new GraphError(`${name}: the branches give ${describeValue(taken.value)} and ${describeValue(other.value)}`);
    }
    const { dtype, shape } = taken.value;
    const attributes = { then_branch: { type: 'graph', value: taken.model }, else_branch: { type: 'graph', value: other.model } } as const;
    this.emitNode({ op: 'If', inputs: [condition], attributes, name }, [{ name, dtype, shape }]);
    return { ...taken.value, name, scope: this.id };
  }

  /** Closes the graph over its outputs. Only the outermost graph holds initializers, and only it is verified: with all that is inside. */
  finish(outputs: readonly Value[]): GraphModel {
    for (const output of outputs) this.assertVisible(output);
    return {
      name: this.name,
      inputs: this.inputs,
      outputs: outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
      initializers: [],
      nodes: this.nodes,
    };
  }

  /** The finished, verified model. @throws GraphError naming what is wrong. */
  build(outputs: readonly Value[]): GraphModel {
    const model: GraphModel = { ...this.finish(outputs), initializers: [...this.state.initializers.values()] };
    verifyGraph(model);
    return model;
  }

  private constantTrue(): Value<'bool'> {
    return this.cast(this.constant('int64', [1], []), 'bool', `${this.name}.true`);
  }
}
