// Requests to a hub over HTTP: JSON in and out, uploads, event streams; every failure becomes a CliError that says what to do next.
import { EventSourceParserStream, type EventSourceMessage } from 'eventsource-parser/stream';
import { CliError } from './cli-error.js';
import { printableLine } from './terminal.js';

/** What the hub answered when it refused: its code, message and the fields that its error table lets a client see. */
export class HubError extends CliError {
  constructor(
    code: string,
    message: string,
    readonly status: number,
    readonly retryable: boolean,
    readonly fields: Readonly<Record<string, unknown>>,
  ) {
    super(code, message);
  }
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as multipart/form-data. */
  readonly form?: FormData;
  readonly accept?: string;
  /** Of the event stream that broke. */
  readonly lastEventId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class HubHttp {
  readonly url: string;

  /** @throws CliError INVALID_URL */
  constructor(url: string) {
    this.url = parseHubUrl(url);
  }

  /** @throws HubError as the hub says; CliError HUB_UNREACHABLE, NOT_A_HUB */
  async json<Answer>(path: string, options: RequestOptions = {}): Promise<Answer> {
    return (await this.answer<Answer>(path, options)).body;
  }

  /** As `json`, with the status of the answer. */
  async answer<Answer>(path: string, options: RequestOptions = {}): Promise<{ readonly status: number; readonly body: Answer }> {
    const response = await this.send(path, options);
    const text = await this.reading(response.text());
    try {
      return { status: response.status, body: JSON.parse(text) as Answer };
    } catch (cause) {
      throw this.notAHub(response, cause);
    }
  }

  /** A page. @throws as `json` */
  async html(path: string, options: RequestOptions = {}): Promise<string> {
    const response = await this.send(path, { ...options, accept: 'text/html' });
    const page = await this.reading(response.text());
    if (!(response.headers.get('content-type') ?? '').startsWith('text/html')) throw this.notAHub(response);
    return page;
  }

  /**
   * Reads a server-sent event stream to its end.
   * @throws as `json`; CliError HUB_UNREACHABLE when the connection breaks
   */
  async *events(path: string, options: RequestOptions = {}): AsyncGenerator<EventSourceMessage> {
    const response = await this.send(path, { ...options, accept: 'text/event-stream' });
    if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream') || response.body === null)
      throw this.notAHub(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader();
    try {
      for (;;) {
        const { done, value } = await this.reading(reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      // Also when the caller stops early: the hub then sees the connection close.
      await reader.cancel().catch(() => undefined);
    }
  }

  /**
   * A file's bytes as they come.
   * @throws as `json`; CliError TRANSFER_BROKEN when the connection breaks before the last of them
   */
  async *bytes(path: string, options: RequestOptions = {}): AsyncGenerator<Uint8Array> {
    const response = await this.send(path, { ...options, accept: 'application/octet-stream' });
    if (response.body === null) throw this.notAHub(response);
    try {
      // Leaving early closes the connection, which the hub sees.
      for await (const piece of response.body as AsyncIterable<Uint8Array>) yield piece;
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'AbortError') throw cause;
      throw new CliError(
        'TRANSFER_BROKEN',
        `${this.url} broke off before the end (${reasonOf(cause)}). Try again; the hub's log says why.`,
        undefined,
        { cause },
      );
    }
  }

  private async send(path: string, options: RequestOptions): Promise<Response> {
    const target = new URL(`${this.url}${path}`);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      for (const item of Array.isArray(value) ? (value as readonly string[]) : [value]) {
        if (item !== undefined) target.searchParams.append(name, String(item));
      }
    }
    const headers: Record<string, string> = { accept: options.accept ?? 'application/json' };
    if (options.json !== undefined) headers['content-type'] = 'application/json';
    if (options.lastEventId !== undefined) headers['last-event-id'] = options.lastEventId;
    const init: RequestInit = { method: options.method ?? 'GET', headers };
    if (options.json !== undefined) init.body = JSON.stringify(options.json);
    if (options.form !== undefined) init.body = options.form;
    if (options.signal !== undefined) init.signal = options.signal;
    const response = await this.reading(fetch(target, init));
    if (response.ok) return response;
    throw await this.refusal(response);
  }

  private async reading<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'AbortError') throw cause;
      throw new CliError(
        'HUB_UNREACHABLE',
        `No answer from ${this.url} (${reasonOf(cause)}). Start a hub with "braid serve --data ./data", or name another with --url or BRAID_URL.`,
        undefined,
        { cause },
      );
    }
  }

  private async refusal(response: Response): Promise<CliError> {
    const text = await this.reading(response.text());
    return hubErrorOf(parsed(text), response.status) ?? this.notAHub(response);
  }

  private notAHub(response: Response, cause?: unknown): CliError {
    const type = response.headers.get('content-type') ?? 'no content type';
    return new CliError(
      'NOT_A_HUB',
      `${response.url} answered ${response.status} with ${printableLine(type)}, which a Braid hub does not. Check --url and BRAID_URL, and anything between here and the hub.`,
      undefined,
      { cause },
    );
  }
}

/** @throws CliError INVALID_URL */
export function parseHubUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch (cause) {
    throw new CliError('INVALID_URL', `${JSON.stringify(text)} is not a URL: write --url http://host:port`, 2, { cause });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new CliError('INVALID_URL', `${JSON.stringify(text)} is not an HTTP address: write --url http://host:port`, 2);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** The error in a hub's answer or event, Braid's or OpenAI's shape; undefined when `body` carries none. */
export function hubErrorOf(body: unknown, status: number): HubError | undefined {
  if (!isRecord(body) || !isRecord(body.error)) return undefined;
  const { code, type, message, retryable, ...fields } = body.error;
  const name = typeof code === 'string' && code !== '' ? code : typeof type === 'string' ? type : `HTTP_${status}`;
  const said = typeof message === 'string' ? message : `The hub answered ${status}.`;
  return new HubError(printableLine(name), printableLine(said), status, retryable === true || status === 429, fields);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The innermost reason that the network gave, such as ECONNREFUSED. */
function reasonOf(error: unknown): string {
  let reason = error instanceof Error ? error.message : String(error);
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
    reason = cause.message;
  }
  return printableLine(reason);
}
