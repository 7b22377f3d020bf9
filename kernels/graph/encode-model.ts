// Writes a finished graph as ONNX ModelProto bytes (onnx.proto of ONNX 1.16: ir_version 10, opset 21). Equal graphs give equal bytes.
import { ELEMENT_TYPES } from './dtypes.js';
import type { AttributeValue, GraphModel, Initializer, NodeModel, TensorType } from './model.js';
import { ProtobufWriter } from './protobuf.js';

const IR_VERSION = 10;
const OPSETS = [
  { domain: '', version: 21 },
  { domain: 'com.microsoft', version: 1 },
] as const;
const EXTERNAL_LOCATION = 1;
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

/** The graph as a serialized ModelProto. Node and value names are kept: profiles and runtime errors quote them. */
export function encodeModel(graph: GraphModel): Uint8Array {
  const model = new ProtobufWriter();
  model.int(1, IR_VERSION);
  model.string(2, 'braid');
  model.message(7, (writer) => writeGraph(writer, graph));
  for (const { domain, version } of OPSETS) {
    model.message(8, (opset) => {
      opset.string(1, domain);
      opset.int(2, version);
    });
  }
  return model.finish();
}

function writeGraph(writer: ProtobufWriter, graph: GraphModel): void {
  for (const node of graph.nodes) writer.message(1, (inner) => writeNode(inner, node));
  writer.string(2, graph.name);
  for (const initializer of graph.initializers) writer.message(5, (inner) => writeTensor(inner, initializer));
  for (const input of graph.inputs) writer.message(11, (inner) => writeValueInfo(inner, input));
  for (const output of graph.outputs) writer.message(12, (inner) => writeValueInfo(inner, output));
}

function writeNode(writer: ProtobufWriter, node: NodeModel): void {
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output.name);
  writer.string(3, node.name);
  writer.string(4, node.opType);
  for (const [name, value] of Object.entries(node.attributes)) writer.message(5, (inner) => writeAttribute(inner, name, value));
  if (node.domain !== '') writer.string(7, node.domain);
}

function writeAttribute(writer: ProtobufWriter, name: string, attribute: AttributeValue): void {
  writer.string(1, name);
  switch (attribute.type) {
    case 'float':
      writer.float(2, attribute.value);
      break;
    case 'int':
      writer.int(3, attribute.value);
      break;
    case 'string':
      writer.string(4, attribute.value);
      break;
    case 'graph':
      writer.message(6, (inner) => writeGraph(inner, attribute.value));
      break;
    case 'ints':
      for (const value of attribute.value) writer.int(8, value);
      break;
  }
  writer.int(20, ATTRIBUTE_TYPE[attribute.type]);
}

function writeTensor(writer: ProtobufWriter, tensor: Initializer): void {
  for (const dim of tensor.shape) writer.int(1, dim);
  writer.int(2, ELEMENT_TYPES[tensor.dtype].code);
  writer.string(8, tensor.name);
  if (tensor.kind === 'inline') {
    writer.bytes(9, tensor.bytes);
    return;
  }
  const entries = { location: tensor.file, offset: String(tensor.offset), length: String(tensor.length) };
  for (const [key, value] of Object.entries(entries)) {
    writer.message(13, (entry) => {
      entry.string(1, key);
      entry.string(2, value);
    });
  }
  writer.int(14, EXTERNAL_LOCATION);
}

function writeValueInfo(writer: ProtobufWriter, value: TensorType): void {
  writer.string(1, value.name);
  writer.message(2, (type) => {
    type.message(1, (tensor) => {
      tensor.int(1, ELEMENT_TYPES[value.dtype].code);
      tensor.message(2, (shape) => {
        for (const dim of value.shape) {
          shape.message(1, (inner) => {
            if (typeof dim === 'number') inner.int(1, dim);
            else inner.string(2, dim);
          });
        }
      });
    });
  });
}
