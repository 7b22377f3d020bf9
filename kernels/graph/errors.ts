// The error every graph builder throws: a graph is a program of ours, so each of these is a fault in our code, never in a user's input.

/** A graph was put together wrongly: mismatched types or shapes, a duplicate name, a value used out of its scope. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}
