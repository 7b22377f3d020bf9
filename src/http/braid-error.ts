// The one error type that may reach a client, and the shape of each feature's error table (code → status, message, whose fault, retry).

/** One row of a feature's error table. */
export interface ErrorRow {
  /** HTTP status. */
  readonly status: number;
  /** What was found, what is allowed, what to do next; `{field}` is replaced by the error's detail of that name. */
  readonly message: string;
  /** Which details a client may see beside the message. */
  readonly fields?: readonly string[];
  /** True when the same request may succeed later; the detail `retryAfterSeconds` may say when. @default false */
  readonly retryable?: boolean;
}

/** A feature's errors: `const errors = { CODE: { status, message } } as const satisfies ErrorTable`. */
export type ErrorTable = Readonly<Record<string, ErrorRow>>;

export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

// A batch of generation or a restarted worker frees the way within seconds.
const RETRY_AFTER_SECONDS = 1;

/** An error with a stable code; thrown through the feature's own `fail` (see `errorsOf`). */
export class BraidError extends Error {
  override readonly name = 'BraidError';
  readonly status: number;
  readonly retryable: boolean;
  /** When a retryable request may be sent again, a whole number. @default 1 */
  readonly retryAfterSeconds: number;
  /** The details that the table allows a client to see. */
  readonly fields: ErrorDetails;

  constructor(
    readonly code: string,
    row: ErrorRow,
    details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(
      row.message.replace(/\{(\w+)\}/g, (whole, key: string) => {
        const value = details[key];
        return value === undefined ? whole : Array.isArray(value) ? value.join(', ') : String(value);
      }),
      options,
    );
    this.status = row.status;
    this.retryable = row.retryable ?? false;
    const { retryAfterSeconds } = details;
    this.retryAfterSeconds = typeof retryAfterSeconds === 'number' ? retryAfterSeconds : RETRY_AFTER_SECONDS;
    this.fields = Object.fromEntries((row.fields ?? []).flatMap((key) => (key in details ? [[key, details[key] ?? '']] : [])));
  }
}

/**
 * Binds an error table: `const fail = errorsOf(publishErrors); throw fail('NO_WEIGHTS', { found: '…' })`.
 * The code is checked by the compiler.
 */
export function errorsOf<Table extends ErrorTable>(
  table: Table,
): (code: keyof Table & string, details?: ErrorDetails, cause?: unknown) => BraidError {
  return (code, details, cause) => {
    const row = table[code];
    if (row === undefined) throw new Error(`no row for error code ${code}`);
    return new BraidError(code, row, details, cause === undefined ? undefined : { cause });
  };
}
