// The frame of `braid top`: what stands in it, how it fits a screen, and that nothing in a name drives the terminal.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderTop } from '#src/cli/render/top.js';
import { createTerminal } from '#src/cli/terminal.js';
import type { HubStatsView, ModelStatsView, RowStatsView } from '#src/metrics/hub-stats.view.js';

const plain = createTerminal({ write: () => true }, { write: () => true }, {});

const MODEL: ModelStatsView = {
  name: 'hf/smollm2',
  running: 2,
  waiting: 1,
  backgroundRunning: 0,
  backgroundWaiting: 0,
  cacheBytes: 250_000_000,
  cacheLimitBytes: 1_000_000_000,
  adapters: 3,
  adapterPages: 24,
  adapterBytes: 12_000_000,
  adapterLimitBytes: 1_073_741_824,
  adapterLoads: 5,
  adapterEvictions: 2,
  workerRestarts: 0,
  runs: 900,
  lastMinute: {
    promptTokensPerSecond: 12,
    generationTokensPerSecond: 345.6,
    answers: 17,
    firstTokenMs: { p50: 25.04, p99: 80 },
    betweenTokensMs: null,
  },
};

const ROW: RowStatsView = {
  model: 'hf/smollm2',
  adapter: 'me/upper@1.0.0',
  state: 'decode',
  promptTokens: 30,
  tokens: 12,
  tokensPerSecond: 41.2,
  ageMs: 1_200,
};

const STATS: HubStatsView = {
  version: '0.1.0',
  uptimeMs: 7_440_000,
  models: [MODEL],
  rows: [ROW, { ...ROW, adapter: '', state: 'waiting', tokens: 0, tokensPerSecond: 0 }, { ...ROW, adapter: 'mixture' }],
  rowCount: 3,
  jobs: { running: 1, queued: 2, succeeded: 9 },
};

const URL = 'http://127.0.0.1:8400';

describe('braid top', () => {
  it('shows models, latencies and rows', () => {
    assert.equal(
      renderTop(STATS, URL, plain),
      `braid 0.1.0 at http://127.0.0.1:8400, up 2 h 4 min, 1 job running, 2 queued

hf/smollm2
rows         2 running, 1 waiting
tokens       346/s written, 12.0/s read
first token  25.0 ms, p99 80.0 ms
between      –
answers      17 in the last minute
kv cache     ██▌        25.0 % of 1.00 GB
adapters     3 in 24 pages, 5 loaded, 2 given up
             ▌          1.12 % of 1.07 GB

STATE    PROMPT  TOKENS  PER SECOND    AGE  MODEL
decode       30      12        41.2  1.2 s  me/upper@1.0.0
waiting      30       0           –  1.2 s  hf/smollm2
decode       30      12        41.2  1.2 s  mixture on hf/smollm2
`,
    );
  });

  it('says what is not as it should be', () => {
    const odd = { ...STATS, jobs: null, models: [{ ...MODEL, workerRestarts: 2, backgroundRunning: 4 }], rows: [], rowCount: 0 };
    const frame = renderTop(odd, URL, plain);
    assert.match(frame, /the database does not answer\n/);
    assert.match(frame, /worker +died 2 times\n/);
    assert.match(frame, /2 running, 1 waiting, 4 of searches\n/);
    assert.match(frame, /No answers under way/);
    assert.match(renderTop({ ...odd, models: [] }, URL, plain), /No base model has been asked yet/);
  });

  it('counts the rows that the screen has no room for', () => {
    const many = { ...STATS, rows: Array.from({ length: 50 }, () => ROW), rowCount: 64 };
    for (const lines of [16, 24, 40]) {
      const frame = renderTop(many, URL, plain, { lines });
      // The line that the cursor stands on is one, too.
      assert.ok(frame.split('\n').length <= lines, `${frame.split('\n').length} of ${lines}`);
      const shown = frame.match(/me\/upper/g)?.length ?? 0;
      assert.match(frame, new RegExp(`and ${64 - shown} answers more under way\n$`));
    }
  });

  it('keeps control characters of names from the terminal', () => {
    const hostile = {
      ...STATS,
      models: [{ ...MODEL, name: 'a\u001b[2Jb' }],
      rows: [{ ...ROW, adapter: 'c\u001b]0;d' }],
      version: '\u0007',
    };
    // eslint-disable-next-line no-control-regex -- control characters are what this is about
    assert.doesNotMatch(renderTop(hostile, URL, plain), /[\u0007\u001b]/);
  });
});
