// The encoder's bytes, read back by an independent reader with field numbers from onnx.proto.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeModel } from '#kernels/graph/encode-model.js';
import { Graph } from '#kernels/graph/graph.js';
import { ProtobufWriter } from '#kernels/graph/protobuf.js';
import { messagesOf, numbersOfField, readMessage, stringsOf, type WireMessage } from '#test/reference/protobuf-reader.js';

describe('ProtobufWriter', () => {
  test('writes the examples of the specification', () => {
    const writer = new ProtobufWriter();
    writer.int(1, 150);
    writer.string(2, 'testing');
    writer.message(3, (inner) => inner.int(1, 150));
    assert.equal(Buffer.from(writer.finish()).toString('hex'), '089601' + '120774657374696e67' + '1a03089601');
  });

  test('writes negative numbers in ten bytes, zero in one, floats little-endian', () => {
    const writer = new ProtobufWriter();
    writer.int(1, -1);
    writer.int(1, 0);
    writer.float(2, 1.5);
    assert.equal(Buffer.from(writer.finish()).toString('hex'), '08ffffffffffffffffff01' + '0800' + '150000c03f');
  });
});

function buildSmall(): Uint8Array {
  const graph = Graph.create('small');
  const x = graph.input('x', 'float32', ['b', 3]);
  const w = graph.external('w', 'bfloat16', [2, 3], { file: 'model.safetensors', offset: 4096, length: 12 });
  const y = graph.matMulTransposed(x, graph.cast(w, 'float32', 'w32'), 'y');
  const shifted = graph.add(y, graph.constant('float32', [1.5, -2]), 'shifted');
  const isLarge = graph.greater(graph.reduceMax(shifted, 'all', 'most'), graph.constant('float32', [0], []), 'isLarge');
  const z = graph.branch(isLarge, { then: (inner) => inner.sigmoid(shifted, 'squashed'), else: () => shifted }, 'z');
  return encodeModel(graph.build([z]));
}

const one = (messages: readonly WireMessage[]): WireMessage => {
  assert.equal(messages.length, 1);
  return messages[0] ?? new Map();
};

describe('encodeModel', () => {
  const model = readMessage(buildSmall());
  const graph = one(messagesOf(model, 7));
  const nodes = messagesOf(graph, 1);
  const byOp = (op: string): WireMessage => one(nodes.filter((node) => stringsOf(node, 4)[0] === op));

  test('names its versions', () => {
    assert.deepEqual(numbersOfField(model, 1), [10]);
    assert.deepEqual(messagesOf(model, 8).map((opset) => [stringsOf(opset, 1)[0], numbersOfField(opset, 2)[0]]), [['', 21], ['com.microsoft', 1]]); // prettier-ignore
  });

  test('writes nodes in order, with names, domains and attributes', () => {
    assert.deepEqual(nodes.map((node) => stringsOf(node, 4)[0]), ['Cast', 'FusedMatMul', 'Add', 'ReduceMax', 'Greater', 'If']); // prettier-ignore
    const product = byOp('FusedMatMul');
    assert.deepEqual(stringsOf(product, 1), ['x', 'w32']);
    assert.deepEqual(stringsOf(product, 2), ['y']);
    assert.deepEqual(stringsOf(product, 7), ['com.microsoft']);
    const attribute = one(messagesOf(product, 5));
    assert.deepEqual([stringsOf(attribute, 1), numbersOfField(attribute, 3), numbersOfField(attribute, 20)], [['transB'], [1], [2]]);
  });

  test('points external tensors at their file', () => {
    const external = one(messagesOf(graph, 5).filter((tensor) => stringsOf(tensor, 8)[0] === 'w'));
    assert.deepEqual(numbersOfField(external, 1), [2, 3]);
    assert.deepEqual(numbersOfField(external, 2), [16]);
    assert.deepEqual(numbersOfField(external, 14), [1]);
    const entries = messagesOf(external, 13).map((entry) => [stringsOf(entry, 1)[0], stringsOf(entry, 2)[0]]);
    assert.deepEqual(Object.fromEntries(entries), { location: 'model.safetensors', offset: '4096', length: '12' });
  });

  test('keeps inline tensors as raw little-endian bytes', () => {
    const inline = one(messagesOf(graph, 5).filter((tensor) => stringsOf(tensor, 8)[0]?.startsWith('float32[2]')));
    const raw = inline.get(9)?.[0];
    assert.ok(raw instanceof Uint8Array);
    assert.equal(Buffer.from(raw).toString('hex'), '0000c03f000000c0');
  });

  test('describes inputs with symbols and numbers', () => {
    const input = one(messagesOf(graph, 11));
    const type = one(messagesOf(one(messagesOf(input, 2)), 1));
    assert.deepEqual(numbersOfField(type, 1), [1]);
    const dims = messagesOf(one(messagesOf(type, 2)), 1);
    assert.deepEqual(dims.map((dim) => [stringsOf(dim, 2)[0], numbersOfField(dim, 1)[0]]), [['b', undefined], [undefined, 3]]); // prettier-ignore
  });

  test('nests branches', () => {
    const branches = messagesOf(byOp('If'), 5).map(
      (attribute) => [stringsOf(attribute, 1)[0], numbersOfField(attribute, 20)[0], one(messagesOf(attribute, 6))] as const,
    );
    assert.deepEqual(branches.map(([name, type]) => [name, type]), [['then_branch', 5], ['else_branch', 5]]); // prettier-ignore
    assert.deepEqual(branches.map(([, , inner]) => messagesOf(inner, 1).map((node) => stringsOf(node, 4)[0])), [['Sigmoid'], ['Identity']]); // prettier-ignore
  });

  test('gives the same bytes every time', () => {
    assert.deepEqual(buildSmall(), buildSmall());
  });
});
