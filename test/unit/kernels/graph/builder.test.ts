// The builder infers types and shapes, and throws where a graph is put together wrongly.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GraphError } from '#kernels/graph/errors.js';
import { Graph } from '#kernels/graph/graph.js';
import { expectType, type Value } from '#kernels/graph/values.js';

function fails(build: () => unknown, message: RegExp): void {
  assert.throws(build, (error) => error instanceof GraphError && message.test(error.message));
}

describe('shape inference', () => {
  const graph = Graph.create('shapes', { expandableDims: ['g'] });
  const x = graph.input('x', 'float32', ['b', 't', 6]);
  const y = graph.input('y', 'float32', ['g', 6, 4]);
  const ids = graph.input('ids', 'int64', ['b', 't']);
  const cases: [string, Value, readonly (number | string)[]][] = [
    ['matMul broadcasts an expandable dimension', graph.matMul(x, y, 'product'), ['b', 't', 4]],
    ['matMulTransposed', graph.matMulTransposed(x, graph.input('w', 'float32', [9, 6]), 'linear'), ['b', 't', 9]],
    ['add broadcasts a vector', graph.add(x, graph.input('bias', 'float32', [6]), 'biased'), ['b', 't', 6]],
    ['gather replaces its axis', graph.gather(graph.input('table', 'float32', [100, 6]), ids, 0, 'rows'), ['b', 't', 6]],
    ['gatherND drops indexed axes', graph.gatherND(x, graph.input('places', 'int64', ['m', 2]), 'picked'), ['m', 6]],
    ['reshape keeps symbols', graph.reshape(x, ['b', 't', 2, 3], 'heads'), ['b', 't', 2, 3]],
    ['reshape joins symbols', graph.reshape(x, ['b', '2*t', 3], 'joined'), ['b', '2*t', 3]],
    ['unsqueeze', graph.unsqueeze(ids, 1, 'middle'), ['b', 1, 't']],
    ['squeeze', graph.squeeze(graph.input('one', 'float32', ['b', 1]), 1, 'squeezed'), ['b']],
    ['transpose', graph.transpose(x, [2, 0, 1], 'turned'), [6, 'b', 't']],
    ['concat adds numbers', graph.concat([x, x], 2, 'doubled'), ['b', 't', 12]],
    ['concat names symbols', graph.concat([x, x], 1, 'longer', 'longTime'), ['b', 'longTime', 6]],
    ['reduceMax over all', graph.reduceMax(ids, 'all', 'most'), []],
    ['reduceSum keeps an axis', graph.reduceSum(x, 1, 'summed', { keepDim: true }), ['b', 1, 6]],
    ['argMax', graph.argMax(x, 'best'), ['b', 't']],
    ['topK', graph.topK(x, graph.constant('int64', [2]), 'n', 'top').indices, ['b', 't', 'n']],
    ['dimOf', graph.dimOf(x, -1, 'width'), [1]],
    ['range', graph.range(graph.constant('int64', [5], []), 'n', 'count'), ['n']],
    ['slice', graph.slice(x, 2, graph.constant('int64', [0]), graph.constant('int64', [3]), 3, 'half'), ['b', 't', 3]],
    ['where', graph.where(graph.input('flag', 'bool', ['b', 1, 1]), x, x, 'chosen'), ['b', 't', 6]],
  ];
  for (const [name, value, shape] of cases) test(name, () => assert.deepEqual(value.shape, shape));

  test('element types follow the op', () => {
    assert.equal(graph.equal(ids, ids, 'same').dtype, 'bool');
    assert.equal(graph.cast(ids, 'float32', 'asFloat').dtype, 'float32');
    assert.equal(graph.argMax(x, 'bestToo').dtype, 'int64');
  });
});

describe('what a graph refuses', () => {
  const create = () => {
    const graph = Graph.create('refuses');
    return { graph, x: graph.input('x', 'float32', ['b', 4]), ids: graph.input('ids', 'int64', ['b']) };
  };

  test('a duplicate name, also across subgraphs and initializers', () => {
    const { graph, x } = create();
    fails(() => graph.input('x', 'float32', []), /the name x is already taken/);
    graph.add(x, x, 'sum');
    fails(() => graph.multiply(x, x, 'sum'), /sum is already taken/);
    fails(() => graph.table('sum', new Float32Array(1), [1]), /already taken/);
    const flag = graph.input('flag', 'bool', []);
    fails(() => graph.branch(flag, { then: (inner) => inner.add(x, x, 'sum'), else: () => x }, 'either'), /sum is already taken/);
    fails(() => graph.add(x, x, ''), /has no name/);
  });

  test('shapes that do not fit', () => {
    const { graph, x, ids } = create();
    fails(() => graph.add(x, graph.input('y', 'float32', [3]), 'a'), /a: \[b, 4\] and \[3\] do not broadcast/);
    fails(() => graph.matMul(x, graph.input('w', 'float32', [5, 2]), 'm'), /m: dimensions 4 and 5 must be equal/);
    fails(() => graph.reshape(x, ['b', 5], 'r'), /does not reshape to \[b, 5\]/);
    fails(() => graph.reshape(graph.input('s', 'float32', ['p', 'q']), ['q', 'p'], 'r2'), /more than one symbol moves/);
    fails(() => graph.squeeze(x, 1, 's1'), /dimensions 4 and 1 must be equal/);
    fails(() => graph.transpose(x, [0, 0], 't'), /permutes no x/);
    fails(() => graph.concat([x, graph.input('z', 'float32', ['c', 4])], 1, 'c'), /must have shape/);
    fails(() => graph.concat([ids, ids], 0, 'c2'), /joined dimension needs a name/);
    fails(() => graph.gather(x, ids, 2, 'g'), /axis 2 is outside rank 2/);
    fails(() => graph.rootMeanSquareNorm(x, graph.input('scale', 'float32', [5]), 1e-5, 'n'), /must have shape \[4\]/);
    fails(() => graph.constant('int64', [1, 2], [3]), /2 values do not fill \[3\]/);
  });

  test('element types that the compiler was kept from seeing', () => {
    const { graph, x, ids } = create();
    const widened: Value = ids;
    fails(() => graph.add(x, widened as Value<'float32'>, 'sum'), /differ in element type/);
    fails(() => expectType(ids, 'float32'), /must be of type float32/);
    fails(() => expectType(undefined, 'float32'), /a missing value/);
  });

  test('an external tensor whose place has another size', () => {
    const { graph } = create();
    fails(() => graph.external('w', 'bfloat16', [4, 4], { file: 'f', offset: 0, length: 64 }), /takes 32 bytes, its place holds 64/);
  });

  test('a value of another graph or of a closed branch', () => {
    const { graph, x } = create();
    const other = Graph.create('other').input('stranger', 'float32', ['b', 4]);
    fails(() => graph.add(x, other, 'sum'), /stranger .* is not visible in graph refuses/);
    let escaped: Value<'float32'> | undefined;
    graph.branch(graph.input('flag', 'bool', []), { then: (inner) => (escaped = inner.add(x, x, 'inside')), else: () => x }, 'either');
    assert.ok(escaped);
    const value = escaped;
    fails(() => graph.add(x, value, 'sum2'), /inside .* is not visible/);
  });

  test('branches of different shape', () => {
    const { graph, x } = create();
    const flag = graph.input('flag', 'bool', []);
    fails(() => graph.branch(flag, { then: (inner) => inner.reduceMax(x, 1, 'most'), else: () => x }, 'either'), /the branches give/);
  });

  test('a loop that changes what it carries', () => {
    const { graph, x } = create();
    const loop = (shape: readonly (number | string)[], varyingDims: readonly string[]) =>
      graph.loop({
        name: `loop.${shape.join()}.${varyingDims.join()}`,
        steps: graph.constant('int64', [3], []),
        stepDim: 'k',
        varyingDims,
        carried: [{ name: 'x', initial: x, shape, finalName: `final.${shape.join()}.${varyingDims.join()}` }],
        body: (body, _iteration, [value]) => {
          const inside = expectType(value, 'float32');
          const next = body.concat([inside, inside], 1, `${inside.name}.next`, 8);
          return { proceed: body.cast(body.constant('int64', [1], []), 'bool', `${inside.name}.on`), carried: [next], collected: [] };
        },
      });
    fails(() => loop(['b', 4], []), /cannot be carried as/);
    assert.equal(loop(['b', 'width'], ['width']).carried.length, 1);
  });
});

test('equal constants are one initializer, which every scope sees', () => {
  const graph = Graph.create('constants');
  const x = graph.input('x', 'float32', ['b']);
  const flag = graph.input('flag', 'bool', []);
  const half = (scope: Graph) => scope.constant('float32', [0.5], []);
  const y = graph.branch(
    flag,
    { then: (inner) => inner.multiply(x, half(inner), 'left'), else: (inner) => inner.add(x, half(inner), 'right') },
    'either',
  );
  const z = graph.add(y, half(graph), 'z');
  const model = graph.build([z]);
  assert.equal(model.initializers.length, 1);
});
