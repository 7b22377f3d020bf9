// Reads fields of an untrusted config.json one by one and remembers which, so that what nobody asked for can be refused by name.

/** A model's configuration cannot be served: the model's fault, or ours for not supporting it. */
export class ModelConfigError extends Error {
  override readonly name = 'ModelConfigError';

  /** @param field the field at fault, with its section: `rope_scaling.rope_type` */
  constructor(
    readonly field: string,
    reason: string,
  ) {
    super(`config.json, ${field}: ${reason}`);
  }
}

export class ConfigReader {
  private readonly fields: ReadonlyMap<string, unknown>;
  private readonly taken = new Set<string>();

  /** @throws ModelConfigError unless `json` is an object */
  constructor(
    json: unknown,
    private readonly prefix = '',
  ) {
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new ModelConfigError(prefix || 'config.json', `must be an object, found ${describe(json)}`);
    this.fields = new Map(Object.entries(json));
  }

  /** A field's value; null counts as absent, as in transformers. */
  take(field: string): unknown {
    this.taken.add(field);
    return this.fields.get(field) ?? undefined;
  }

  /** Whether the file has the field, be it null. */
  has(field: string): boolean {
    return this.fields.has(field);
  }

  /** A positive integer of at most `max`. */
  integer(field: string, options: { max: number; fallback?: number }): number {
    const value = this.take(field) ?? options.fallback;
    if (value === undefined) throw this.error(field, 'is missing');
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > options.max) {
      throw this.error(field, `must be an integer from 1 to ${options.max}, found ${describe(value)}`);
    }
    return value;
  }

  /** A non-negative integer, or undefined when absent. */
  optionalInteger(field: string): number | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw this.error(field, `must be a non-negative integer, found ${describe(value)}`);
    return value;
  }

  /** A positive finite number. */
  positive(field: string, options: { fallback?: number } = {}): number {
    const value = this.take(field);
    if (value === undefined && options.fallback !== undefined) return options.fallback;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
      throw this.error(field, `must be a positive number, found ${describe(value)}`);
    return value;
  }

  boolean(field: string, fallback: boolean): boolean {
    const value = this.take(field) ?? fallback;
    if (typeof value !== 'boolean') throw this.error(field, `must be true or false, found ${describe(value)}`);
    return value;
  }

  /** @throws ModelConfigError unless the field has one of these values; `undefined` allows its absence */
  oneOf(field: string, allowed: readonly unknown[]): void {
    const value = this.take(field);
    if (allowed.includes(value)) return;
    const supported = allowed.filter((option) => option !== undefined).map((option) => JSON.stringify(option));
    throw this.error(
      field,
      `found ${describe(value)}, which is not supported; ${supported.length > 0 ? `supported: ${supported.join(', ')}` : 'it must be absent'}`,
    );
  }

  /** A nested object, or undefined when absent. */
  section(field: string): ConfigReader | undefined {
    const value = this.take(field);
    return value === undefined ? undefined : new ConfigReader(value, this.path(field));
  }

  /** @throws ModelConfigError for a field that was never read, is not listed, and is not off (null or false) */
  refuseUnknown(harmless: ReadonlySet<string>): void {
    for (const [field, value] of this.fields) {
      if (this.taken.has(field) || harmless.has(field) || value === null || value === false) continue;
      throw this.error(field, `is not known here and may change the mathematics, found ${describe(value)}; remove it if it does not`);
    }
  }

  /** The error about one of these fields. */
  error(field: string, reason: string): ModelConfigError {
    return new ModelConfigError(this.path(field), reason);
  }

  private path(field: string): string {
    return this.prefix === '' ? field : `${this.prefix}.${field}`;
  }
}

/** A value as a message may show it: short, whatever the file holds. */
function describe(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
