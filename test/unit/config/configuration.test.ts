// The configuration: defaults, every rule, and that neither secrets nor refused values leak into errors.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { ConfigurationError, parseConfiguration } from '#src/config/configuration.js';
import { parseVersionedName } from '#src/ids/ids.js';
import { renderEnvExample } from '#src/config/env-example.js';
import { type Setting, settings } from '#src/config/settings.js';

const s3 = { S3_ENDPOINT: 'http://127.0.0.1:9000', S3_ACCESS_KEY: 'key', S3_SECRET_KEY: 'secret' };

describe('parseConfiguration', () => {
  it('needs nothing', () => {
    assert.deepEqual(parseConfiguration({}), {
      dataDir: './data',
      host: '127.0.0.1',
      port: 8400,
      provider: 'cpu',
      precision: 'float32',
      threads: availableParallelism(),
      maxBatchRows: 16,
      maxQueue: 256,
      maxQueueTokens: 1_048_576,
      requestTimeoutMs: 600_000,
      drainMs: 8_000,
      adapterMemoryBytes: 1024 * 1024 * 1024,
      pinnedAdapters: [],
      logLevel: 'info',
      logPrompts: false,
      metrics: true,
      metricsMaxLabels: 100,
      maxUploadBytes: 1024 * 1024 * 1024,
      allowRuntimeLoraUpdating: false,
      rewardOrigins: [],
      rewardTimeoutMs: 60_000,
      retentionDays: 30,
    });
  });
  it('takes empty variables as unset and ignores others', () => {
    assert.deepEqual(parseConfiguration({ BRAID_PORT: '', DATABASE_URL: '', S3_ENDPOINT: '', PATH: '/bin' }), parseConfiguration({}));
  });
  it('reads an S3 server with the port of its scheme', () => {
    assert.deepEqual(parseConfiguration(s3).s3, {
      endPoint: '127.0.0.1',
      port: 9000,
      useSsl: false,
      region: 'us-east-1',
      bucket: 'braid',
      accessKey: 'key',
      secretKey: 'secret',
    });
    assert.equal(parseConfiguration({ ...s3, S3_ENDPOINT: 'https://s3.example.org' }).s3?.port, 443);
    assert.equal(parseConfiguration({ ...s3, S3_ENDPOINT: 'http://[::1]' }).s3?.endPoint, '::1');
  });
  it('is frozen through and through', () => {
    const configuration = parseConfiguration(s3);
    assert.ok(Object.isFrozen(configuration) && Object.isFrozen(configuration.s3));
  });
  it('reads a list of origins, each once and as browsers write it', () => {
    const { rewardOrigins, rewardTimeoutMs } = parseConfiguration({
      BRAID_REWARD_ORIGINS: ' https://Judge.example.org:443, http://127.0.0.1:9100/,https://judge.example.org ,',
      BRAID_REWARD_TIMEOUT_S: '5',
    });
    assert.deepEqual([rewardOrigins, rewardTimeoutMs], [['https://judge.example.org', 'http://127.0.0.1:9100'], 5_000]);
    assert.ok(Object.isFrozen(rewardOrigins));
  });
  it('takes a timeout of 0 for none', () => {
    const { requestTimeoutMs, drainMs } = parseConfiguration({ BRAID_REQUEST_TIMEOUT_S: '0', BRAID_DRAIN_S: '25' });
    assert.deepEqual([requestTimeoutMs, drainMs], [0, 25_000]);
  });
  it('sends traces where Braid is told to, else where all of OpenTelemetry is', () => {
    const standard = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
    assert.equal(parseConfiguration(standard).otlpEndpoint?.href, 'http://collector:4318/');
    assert.equal(parseConfiguration({ ...standard, BRAID_OTLP_ENDPOINT: 'https://own/otlp' }).otlpEndpoint?.href, 'https://own/otlp');
  });
  it('turns mebibytes into bytes', () => assert.equal(parseConfiguration({ BRAID_MAX_UPLOAD_MB: '3' }).maxUploadBytes, 3 * 1048576));

  it('reads pinned adapters, with and without a version', () => {
    const { pinnedAdapters } = parseConfiguration({ BRAID_PINNED_ADAPTERS: 'words/one@1.2.0, words/two,' });
    assert.deepEqual(pinnedAdapters, [parseVersionedName('words/one@1.2.0'), parseVersionedName('words/two')]);
  });

  const refused: readonly [string, string][] = [
    ['BRAID_PORT', '65536'],
    ['BRAID_PORT', '-1'],
    ['BRAID_PORT', '80x'],
    ['BRAID_PUBLIC_URL', 'ftp://braid.example.org'],
    ['DATABASE_URL', 'mysql://someone:hunter2@example.org/db'],
    ['DATABASE_URL', 'not-a-url-hunter2'],
    ['S3_ENDPOINT', '127.0.0.1-9000'],
    ['S3_ENDPOINT', 'http://user:hunter2@127.0.0.1:9000'],
    ['S3_ENDPOINT', 'http://127.0.0.1:9000/path'],
    ['BRAID_REWARD_ORIGINS', 'http://127.0.0.1:9100,judge.example.org'],
    ['BRAID_REWARD_ORIGINS', 'http://127.0.0.1:9100/reward'],
    ['BRAID_REWARD_ORIGINS', 'http://user:hunter2@127.0.0.1:9100'],
    ['BRAID_REWARD_ORIGINS', '*'],
    ['BRAID_REWARD_TIMEOUT_S', '999'],
    ['BRAID_ALLOW_RUNTIME_LORA_UPDATING', 'yes'],
    ['S3_BUCKET', 'No_Bucket'],
    ['BRAID_PROVIDER', 'quantum'],
    ['BRAID_PRECISION', 'bfloat16'],
    ['BRAID_THREADS', '-4'],
    ['BRAID_MAX_BATCH_ROWS', '1.5'],
    ['BRAID_MAX_QUEUE', '9999999'],
    ['BRAID_MAX_QUEUE_TOKENS', '9999999999'],
    ['BRAID_REQUEST_TIMEOUT_S', '-1'],
    ['BRAID_DRAIN_S', '4000'],
    ['BRAID_ADAPTER_MEMORY_MB', '99999999'],
    ['BRAID_PINNED_ADAPTERS', 'words/one,two'],
    ['BRAID_PINNED_ADAPTERS', 'words/one@newest'],
    ['BRAID_LOG_LEVEL', 'loud'],
    ['BRAID_LOG_PROMPTS', 'maybe'],
    ['BRAID_METRICS', 'off'],
    ['BRAID_METRICS_MAX_LABELS', '99999'],
    ['BRAID_OTLP_ENDPOINT', 'hunter2:4317'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://hunter2'],
    ['BRAID_MAX_UPLOAD_MB', '0x10'],
  ];
  for (const [variable, value] of refused) {
    it(`refuses ${variable}=${value}, naming the variable and not the value`, () => {
      assert.throws(
        () => parseConfiguration({ ...s3, [variable]: value }),
        (error) => error instanceof ConfigurationError && error.message.startsWith(`${variable} must`) && !error.message.includes(value),
      );
    });
  }
  it('asks for both keys of an S3 server', () => {
    assert.throws(
      () => parseConfiguration({ ...s3, S3_SECRET_KEY: '' }),
      /^ConfigurationError: S3_SECRET_KEY must be set when S3_ENDPOINT is$/,
    );
    assert.throws(() => parseConfiguration({ ...s3, S3_ACCESS_KEY: undefined }), /^ConfigurationError: S3_ACCESS_KEY must be set/);
  });
});

describe('.env.example', () => {
  const path = new URL('../../../../.env.example', import.meta.url);
  it('is what the settings say: `npm run env-example` renews it', () => assert.equal(readFileSync(path, 'utf8'), renderEnvExample()));
  it('holds every variable once, and nothing but defaults', () => {
    const assigned = [...renderEnvExample().matchAll(/^#([A-Z0-9_]+)=(.*)$/gm)].map(([, variable, value]) => [variable, value]);
    const expected = Object.values<Setting<unknown>>(settings).map((setting) => [
      setting.variable,
      setting.defaultNote === undefined ? (setting.default ?? '') : '',
    ]);
    assert.deepEqual(assigned, expected);
  });
});
