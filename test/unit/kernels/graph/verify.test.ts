// The last check of a graph trusts no builder: models put together by hand, each with one fault.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GraphModel, NodeModel, TensorType } from '#kernels/graph/model.js';
import { verifyGraph } from '#kernels/graph/verify.js';

const tensor = (name: string, dtype: TensorType['dtype'] = 'float32'): TensorType => ({ name, dtype, shape: ['b'] });
const node = (inputs: string[], output: string, attributes: NodeModel['attributes'] = {}): NodeModel => ({
  name: `make ${output}`,
  opType: 'Add',
  domain: '',
  inputs,
  outputs: [tensor(output)],
  attributes,
});
const sound: GraphModel = {
  name: 'g',
  inputs: [tensor('x')],
  outputs: [tensor('z')],
  initializers: [{ kind: 'inline', name: 'c', dtype: 'float32', shape: [], bytes: new Uint8Array(4) }],
  nodes: [node(['x', 'c'], 'y'), node(['y', 'x'], 'z')],
};
const branch = (model: Partial<GraphModel>): NodeModel['attributes'] => ({
  then_branch: {
    type: 'graph',
    value: { name: 'inner', inputs: [], outputs: [tensor('i')], initializers: [], nodes: [node(['x', 'y'], 'i')], ...model },
  },
});

describe('verifyGraph', () => {
  test('accepts a sound graph, and a branch that reads what is around it', () => {
    verifyGraph(sound);
    verifyGraph({ ...sound, nodes: [...sound.nodes.slice(0, 1), node(['y', 'x'], 'z', branch({}))] });
  });

  const faults: [string, Partial<GraphModel>, RegExp][] = [
    ['an undefined input', { nodes: [node(['x', 'c'], 'y'), node(['y', 'q'], 'z')] }, /make z .* reads q, which is not defined/],
    ['use before definition', { nodes: sound.nodes.toReversed() }, /reads y, which is not defined before it/],
    ['a second definition', { nodes: [...sound.nodes, node(['x', 'x'], 'y')] }, /y is defined in g and again in g/],
    ['an output that nothing defines', { outputs: [tensor('z'), tensor('w')] }, /output w of g is not defined/],
    ['an output of another type', { outputs: [tensor('z', 'int64')] }, /output z of g differs/],
    ['a result that nothing reads', { nodes: [...sound.nodes, node(['x', 'x'], 'idle')] }, /nothing reads the results of make idle/],
    ['an initializer that nothing reads', { nodes: [node(['x', 'x'], 'y'), node(['y', 'x'], 'z')] }, /initializer c is never read/],
    [
      'a branch that redefines a name around it',
      { nodes: [...sound.nodes.slice(0, 1), node(['y', 'x'], 'z', branch({ outputs: [tensor('y')], nodes: [node(['x', 'x'], 'y')] }))] },
      /y is defined in g and again in inner/,
    ],
    [
      'a branch that reads what comes after it',
      { nodes: [...sound.nodes.slice(0, 1), node(['y', 'x'], 'z', branch({ nodes: [node(['x', 'z'], 'i')] }))] },
      /reads z, which is not defined before it in inner/,
    ],
  ];
  for (const [name, change, message] of faults)
    test(`refuses ${name}`, () => assert.throws(() => verifyGraph({ ...sound, ...change }), message));
});
