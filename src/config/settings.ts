// The one table of what can be configured: variable, meaning, unit, default, secrecy and rule of each setting.
import { availableParallelism } from 'node:os';
import { InvalidIdError, parseVersionedName, type VersionedName } from '#src/ids/ids.js';

/** A value breaks its rule; `message` states the rule and never the value. */
export class SettingRuleError extends Error {
  override readonly name = 'SettingRuleError';
}

export interface Setting<T> {
  readonly variable: string;
  readonly description: string;
  readonly unit?: string;
  /** Text that is parsed when the variable is unset or empty; without it the setting is absent then. */
  readonly default?: string;
  /** What to print for the default where it depends on the machine. */
  readonly defaultNote?: string;
  /** Never shown, logged or put into an error. @default false */
  readonly secret?: boolean;
  /** @throws SettingRuleError */
  readonly parse: (text: string) => T;
}

const MEBIBYTE = 1024 * 1024;

function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= minimum && value <= maximum)) throw new SettingRuleError(`must be a whole number from ${minimum} to ${maximum}`);
    return value;
  };
}

function mebibytes(minimum: number, maximum: number): (text: string) => number {
  const parse = integer(minimum, maximum);
  return (text) => parse(text) * MEBIBYTE;
}

function seconds(minimum: number, maximum: number): (text: string) => number {
  const parse = integer(minimum, maximum);
  return (text) => parse(text) * 1000;
}

function oneOf<const T extends string>(...allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new SettingRuleError(`must be one of ${allowed.join(', ')}`);
    return found;
  };
}

function flag(value: string): boolean {
  return oneOf('true', 'false')(value) === 'true';
}

function text(value: string): string {
  return value;
}

function url(...protocols: readonly string[]): (text: string) => URL {
  return (value) => {
    const parsed = URL.canParse(value) ? new URL(value) : undefined;
    if (parsed === undefined || !protocols.includes(parsed.protocol) || parsed.hostname === '') {
      throw new SettingRuleError(`must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`);
    }
    return parsed;
  };
}

function origin(value: string): string {
  const parsed = url('http:', 'https:')(value);
  if (parsed.pathname !== '/' || parsed.search !== '' || parsed.hash !== '' || parsed.username !== '') {
    throw new SettingRuleError('must be scheme, host and port only, for example http://127.0.0.1:9000');
  }
  return parsed.origin;
}

function origins(value: string): readonly string[] {
  const texts = value.split(',').map((part) => part.trim());
  return Object.freeze([...new Set(texts.filter((part) => part !== '').map(origin))]);
}

function versionedNames(value: string): readonly VersionedName[] {
  const names = value.split(',').map((part) => part.trim());
  try {
    return Object.freeze(names.filter((name) => name !== '').map(parseVersionedName));
  } catch (error) {
    if (!(error instanceof InvalidIdError)) throw error;
    throw new SettingRuleError('must be names of adapters, ns/name or ns/name@1.0.0, with commas between them');
  }
}

// S3's own rule for names that work in every region and as a path.
function bucket(value: string): string {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value) || value.includes('..')) {
    throw new SettingRuleError("must be 3 to 63 lower-case letters, digits, '.' or '-', starting and ending with a letter or digit");
  }
  return value;
}

function databaseUrl(value: string): string {
  url('postgres:', 'postgresql:')(value);
  return value;
}

export const settings = {
  dataDir: {
    variable: 'BRAID_DATA',
    description: 'Folder of the embedded database and of the objects kept on the file system.',
    default: './data',
    parse: text,
  },
  host: { variable: 'BRAID_HOST', description: 'Address to listen on; 0.0.0.0 for every interface.', default: '127.0.0.1', parse: text },
  port: { variable: 'BRAID_PORT', description: 'Port to listen on; 0 picks a free one.', default: '8400', parse: integer(0, 65535) },
  publicUrl: {
    variable: 'BRAID_PUBLIC_URL',
    description: 'Address under which clients reach the hub, when it differs from host and port.',
    parse: (value) => url('http:', 'https:')(value).href.replace(/\/$/, ''),
  },
  databaseUrl: {
    variable: 'DATABASE_URL',
    description: 'PostgreSQL to use, postgres://user:password@host:port/database; unset: the embedded database in BRAID_DATA.',
    secret: true,
    parse: databaseUrl,
  },
  s3Endpoint: {
    variable: 'S3_ENDPOINT',
    description: 'S3 server to use, for example http://127.0.0.1:9000; unset: the file system in BRAID_DATA.',
    parse: origin,
  },
  s3Region: { variable: 'S3_REGION', description: 'Region of the bucket.', default: 'us-east-1', parse: text },
  s3Bucket: { variable: 'S3_BUCKET', description: 'Bucket for the objects; made when absent.', default: 'braid', parse: bucket },
  s3AccessKey: { variable: 'S3_ACCESS_KEY', description: 'Access key of the S3 server.', secret: true, parse: text },
  s3SecretKey: { variable: 'S3_SECRET_KEY', description: 'Secret key of the S3 server.', secret: true, parse: text },
  provider: {
    variable: 'BRAID_PROVIDER',
    description: 'Where models compute: cpu, webgpu or cuda.',
    default: 'cpu',
    parse: oneOf('cpu', 'webgpu', 'cuda'),
  },
  precision: {
    variable: 'BRAID_PRECISION',
    description:
      'What answers are generated in: float32; on GPUs float16; on the CPU int8 or int4, of the base alone. Whatever is scored or checked stays float32.',
    default: 'float32',
    parse: oneOf('float32', 'float16', 'int8', 'int4'),
  },
  threads: {
    variable: 'BRAID_THREADS',
    description: 'Threads that one operator may use.',
    default: String(availableParallelism()),
    defaultNote: 'as many as the machine runs in parallel',
    parse: integer(1, 1024),
  },
  maxBatchRows: {
    variable: 'BRAID_MAX_BATCH_ROWS',
    description: 'Rows that are generated together.',
    unit: 'rows',
    default: '16',
    parse: integer(1, 1024),
  },
  maxQueue: {
    variable: 'BRAID_MAX_QUEUE',
    description: 'Requests that may wait per base model before more are refused.',
    unit: 'requests',
    default: '256',
    parse: integer(1, 1_000_000),
  },
  maxQueueTokens: {
    variable: 'BRAID_MAX_QUEUE_TOKENS',
    description:
      'Tokens that may wait per base model, prompts and what may be generated together, before more requests are refused; one larger request is taken when nothing else waits.',
    unit: 'tokens',
    default: '1048576',
    parse: integer(1, 1_000_000_000),
  },
  requestTimeoutMs: {
    variable: 'BRAID_REQUEST_TIMEOUT_S',
    description: 'How long a request for tokens may wait and run together; 0: as long as it takes. A request may ask for less.',
    unit: 'seconds',
    default: '600',
    parse: seconds(0, 86_400),
  },
  drainMs: {
    variable: 'BRAID_DRAIN_S',
    description: 'How long requests under way may take to finish when the hub is told to stop; what kills it must wait a little longer.',
    unit: 'seconds',
    default: '8',
    parse: seconds(0, 3_600),
  },
  adapterMemoryBytes: {
    variable: 'BRAID_ADAPTER_MEMORY_MB',
    description: 'Memory for the weights of loaded adapters.',
    unit: 'MiB',
    default: '1024',
    parse: mebibytes(1, 1024 * 1024),
  },
  pinnedAdapters: {
    variable: 'BRAID_PINNED_ADAPTERS',
    description:
      'Adapters that never leave that memory, ns/name or ns/name@1.0.0 with commas between them; they are loaded when their base model is opened; unset: none.',
    default: '',
    parse: versionedNames,
  },
  logLevel: {
    variable: 'BRAID_LOG_LEVEL',
    description: 'Least severe log level that is written: fatal, error, warn, info, debug, trace or silent.',
    default: 'info',
    parse: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  },
  logPrompts: {
    variable: 'BRAID_LOG_PROMPTS',
    description: "Whether a request's log line holds the beginning of its prompt and answer: true or false.",
    default: 'false',
    parse: flag,
  },
  metrics: {
    variable: 'BRAID_METRICS',
    description: 'Whether GET /metrics and GET /api/stats answer: true or false.',
    default: 'true',
    parse: flag,
  },
  metricsMaxLabels: {
    variable: 'BRAID_METRICS_MAX_LABELS',
    description: "Base models and adapters that have metrics of their own; the others share 'other'.",
    default: '100',
    parse: integer(1, 10_000),
  },
  otlpEndpoint: {
    variable: 'BRAID_OTLP_ENDPOINT',
    description: 'OpenTelemetry collector that traces are sent to by OTLP over HTTP, for example http://127.0.0.1:4318; unset: none.',
    parse: url('http:', 'https:'),
  },
  standardOtlpEndpoint: {
    variable: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    description: 'The same under its standard name, where BRAID_OTLP_ENDPOINT is unset.',
    parse: url('http:', 'https:'),
  },
  maxUploadBytes: {
    variable: 'BRAID_MAX_UPLOAD_MB',
    description: 'Largest adapter that may be published.',
    unit: 'MiB',
    default: '1024',
    parse: mebibytes(1, 1024 * 1024),
  },
  allowRuntimeLoraUpdating: {
    variable: 'BRAID_ALLOW_RUNTIME_LORA_UPDATING',
    description: "Whether vLLM's POST /v1/load_lora_adapter may bring a published adapter into memory: true or false.",
    default: 'false',
    parse: flag,
  },
  rewardOrigins: {
    variable: 'BRAID_REWARD_ORIGINS',
    description:
      'Origins of the services that compositions may ask for rewards, with commas between them, for example http://127.0.0.1:9100; unset: none.',
    default: '',
    parse: origins,
  },
  rewardTimeoutMs: {
    variable: 'BRAID_REWARD_TIMEOUT_S',
    description: 'How long a reward service may take for one request.',
    unit: 'seconds',
    default: '60',
    parse: seconds(1, 300),
  },
  retentionDays: {
    variable: 'BRAID_RETENTION_DAYS',
    description: 'How long ended composition jobs and remembered evaluations are kept; compositions stay.',
    unit: 'days',
    default: '30',
    parse: integer(1, 36_500),
  },
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof settings;
