// Environment variables become one checked, frozen object; everything else in src gets it injected.
import type { VersionedName } from '#src/ids/ids.js';
import { settings, SettingRuleError, type Setting, type SettingName } from './settings.js';

/** Where objects are kept on an S3 server. */
export interface S3Configuration {
  readonly endPoint: string;
  readonly port: number;
  readonly useSsl: boolean;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface Configuration {
  /** The embedded database lies in `<dataDir>/database`, objects on the file system in `<dataDir>/objects`. */
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly publicUrl?: string;
  /** PostgreSQL; absent: the embedded database. */
  readonly databaseUrl?: string;
  /** S3; absent: the file system. */
  readonly s3?: S3Configuration;
  readonly provider: 'cpu' | 'webgpu' | 'cuda';
  /** Of generated answers. */
  readonly precision: 'float32' | 'float16' | 'int8' | 'int4';
  /** Intra-operator threads. */
  readonly threads: number;
  /** Generation rows in a batch. */
  readonly maxBatchRows: number;
  /** Requests waiting per base model. */
  readonly maxQueue: number;
  /** Tokens waiting per base model. */
  readonly maxQueueTokens: number;
  /** Of a request that computes, in queue and running; 0: none. */
  readonly requestTimeoutMs: number;
  /** Of requests under way when the hub stops. */
  readonly drainMs: number;
  readonly adapterMemoryBytes: number;
  /** Adapters that never leave that memory. */
  readonly pinnedAdapters: readonly VersionedName[];
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** Whether the log may have prompts and answers. */
  readonly logPrompts: boolean;
  /** Whether metrics are kept and shown. */
  readonly metrics: boolean;
  /** Values of one label that keep their names. */
  readonly metricsMaxLabels: number;
  /** Collector of traces; absent: nothing is traced. */
  readonly otlpEndpoint?: URL;
  readonly maxUploadBytes: number;
  /** Whether clients may bring published adapters into memory by name. */
  readonly allowRuntimeLoraUpdating: boolean;
  /** Of the services that may be asked for rewards. */
  readonly rewardOrigins: readonly string[];
  /** Of one request to such a service. */
  readonly rewardTimeoutMs: number;
  /** Of ended jobs and remembered evaluations. */
  readonly retentionDays: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable breaks its rule. The message names variable and rule, never the value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/** Nest injection token of the parsed configuration. */
export const CONFIGURATION = Symbol('CONFIGURATION');

type SettingValue<Name extends SettingName> = ReturnType<(typeof settings)[Name]['parse']>;

function read<T>(setting: Setting<T>, environment: Environment): T | undefined {
  const given = environment[setting.variable];
  const text = given === undefined || given === '' ? setting.default : given;
  if (text === undefined) return undefined;
  try {
    return setting.parse(text);
  } catch (error) {
    if (!(error instanceof SettingRuleError)) throw error;
    throw new ConfigurationError(`${setting.variable} ${error.message}`);
  }
}

/** A setting that has a default. */
function required<Name extends SettingName>(name: Name, environment: Environment): SettingValue<Name> {
  const value = read(settings[name] as Setting<SettingValue<Name>>, environment);
  if (value === undefined) throw new ConfigurationError(`${settings[name].variable} must be set`);
  return value;
}

function parseS3(environment: Environment): S3Configuration | undefined {
  const endpoint = read(settings.s3Endpoint, environment);
  if (endpoint === undefined) return undefined;
  const url = new URL(endpoint);
  const useSsl = url.protocol === 'https:';
  const accessKey = read(settings.s3AccessKey, environment);
  const secretKey = read(settings.s3SecretKey, environment);
  if (accessKey === undefined || secretKey === undefined) {
    const missing = accessKey === undefined ? settings.s3AccessKey : settings.s3SecretKey;
    throw new ConfigurationError(`${missing.variable} must be set when ${settings.s3Endpoint.variable} is`);
  }
  return Object.freeze({
    endPoint: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (useSsl ? 443 : 80) : Number(url.port),
    useSsl,
    region: required('s3Region', environment),
    bucket: required('s3Bucket', environment),
    accessKey,
    secretKey,
  });
}

/**
 * Parses and freezes the configuration. Unset and empty variables take their defaults; unknown variables are ignored.
 * @throws ConfigurationError
 */
export function parseConfiguration(environment: Environment): Configuration {
  const publicUrl = read(settings.publicUrl, environment);
  const databaseUrl = read(settings.databaseUrl, environment);
  const s3 = parseS3(environment);
  const otlpEndpoint = read(settings.otlpEndpoint, environment) ?? read(settings.standardOtlpEndpoint, environment);
  return Object.freeze({
    dataDir: required('dataDir', environment),
    host: required('host', environment),
    port: required('port', environment),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(s3 === undefined ? {} : { s3 }),
    provider: required('provider', environment),
    precision: required('precision', environment),
    threads: required('threads', environment),
    maxBatchRows: required('maxBatchRows', environment),
    maxQueue: required('maxQueue', environment),
    maxQueueTokens: required('maxQueueTokens', environment),
    requestTimeoutMs: required('requestTimeoutMs', environment),
    drainMs: required('drainMs', environment),
    adapterMemoryBytes: required('adapterMemoryBytes', environment),
    pinnedAdapters: required('pinnedAdapters', environment),
    logLevel: required('logLevel', environment),
    logPrompts: required('logPrompts', environment),
    metrics: required('metrics', environment),
    metricsMaxLabels: required('metricsMaxLabels', environment),
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
    maxUploadBytes: required('maxUploadBytes', environment),
    allowRuntimeLoraUpdating: required('allowRuntimeLoraUpdating', environment),
    rewardOrigins: required('rewardOrigins', environment),
    rewardTimeoutMs: required('rewardTimeoutMs', environment),
    retentionDays: required('retentionDays', environment),
  });
}
