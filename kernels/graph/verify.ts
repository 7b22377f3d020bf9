// Checks a finished graph as a whole, independently of the builder that made it.
import { GraphError } from './errors.js';
import type { GraphModel, TensorType } from './model.js';

/**
 * Every input of every node is defined before its use, here or in a graph around it; no name is defined twice; every output exists with
 * its type; nothing is left dangling: each value and each initializer is read by a node or is an output, each node output but those of
 * several has a reader.
 * @throws GraphError naming the first fault.
 */
export function verifyGraph(model: GraphModel): void {
  const read = new Set<string>();
  const defined = new Map<string, string>();
  verifyScope(model, new Map(), read, defined);
  for (const { name } of model.initializers) {
    if (!read.has(name)) throw new GraphError(`initializer ${name} is never read`);
  }
}

function verifyScope(graph: GraphModel, outer: ReadonlyMap<string, TensorType>, read: Set<string>, defined: Map<string, string>): void {
  const visible = new Map(outer);
  const define = (value: TensorType): void => {
    const owner = defined.get(value.name);
    if (owner !== undefined) throw new GraphError(`${value.name} is defined in ${owner} and again in ${graph.name}`);
    defined.set(value.name, graph.name);
    visible.set(value.name, value);
  };
  for (const initializer of graph.initializers) define(initializer);
  for (const input of graph.inputs) define(input);

  for (const node of graph.nodes) {
    for (const name of node.inputs) {
      if (name === '') continue;
      if (!visible.has(name))
        throw new GraphError(`${node.name} (${node.opType}) reads ${name}, which is not defined before it in ${graph.name}`);
      read.add(name);
    }
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.type === 'graph') verifyScope(attribute.value, visible, read, defined);
    }
    for (const output of node.outputs) define(output);
  }

  for (const output of graph.outputs) {
    const value = visible.get(output.name);
    if (!value) throw new GraphError(`output ${output.name} of ${graph.name} is not defined`);
    if (value.dtype !== output.dtype || value.shape.join() !== output.shape.join())
      throw new GraphError(`output ${output.name} of ${graph.name} differs from its definition`);
    read.add(output.name);
  }
  for (const node of graph.nodes) {
    if (node.outputs.every(({ name }) => !read.has(name)))
      throw new GraphError(`nothing reads the results of ${node.name} (${node.opType}) in ${graph.name}`);
  }
}
