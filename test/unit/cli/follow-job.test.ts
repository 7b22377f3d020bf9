// Following a job over a connection that breaks: the follower comes back, and gives up only when the hub stays away.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { CliError } from '#src/cli/cli-error.js';
import { followJob } from '#src/cli/follow-job.js';
import { HubClient } from '#src/cli/hub-client.js';

let server: Server;
let hub: HubClient;
/** What each request for the events gets, in turn. */
let streams: ((response: ServerResponse) => void)[] = [];
/** What each request for the job gets, in turn; the last one stays. */
let statuses: string[] = [];
let requests: string[] = [];
/** The Last-Event-ID of each request for the events. */
let resumed: (string | undefined)[] = [];

before(async () => {
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (request.url?.endsWith('/events') === true) {
      resumed.push(request.headers['last-event-id']?.toString());
      const next = streams.shift();
      if (next === undefined) response.destroy();
      else next(response);
      return;
    }
    const status = statuses.length > 1 ? statuses.shift() : statuses[0];
    response.end(JSON.stringify({ id: 'j', status }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  hub = new HubClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  streams = [];
  statuses = ['running'];
  requests = [];
  resumed = [];
});

function stream(text: string, end: 'end' | 'destroy'): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(text, () => (end === 'end' ? response.end() : response.destroy()));
  };
}

function progress(evaluations: number): string {
  return `event: progress\ndata: ${JSON.stringify({ stage: 'search', evaluations })}\n\n`;
}

async function follow(): Promise<{ status: string; seen: number[] }> {
  const seen: number[] = [];
  const job = await followJob(hub, 'j', { onProgress: (state) => seen.push(state.evaluations), retryDelaysMs: [1, 1, 1] });
  return { status: job.status, seen };
}

describe('following a job', () => {
  it('reports progress and resolves to the ended job', async () => {
    streams = [stream(`: hello\n\n${progress(1)}${progress(2)}event: done\ndata: {}\n\n`, 'end')];
    statuses = ['succeeded'];
    assert.deepEqual(await follow(), { status: 'succeeded', seen: [1, 2] });
  });

  it('takes a broken stream up again', async () => {
    streams = [stream(progress(1), 'destroy'), stream(progress(1), 'end'), stream(progress(3), 'end')];
    statuses = ['running', 'cancelled'];
    assert.deepEqual(await follow(), { status: 'cancelled', seen: [1, 1, 3] });
    assert.equal(requests.filter((url) => url.endsWith('/events')).length, 3);
  });

  it('says where it was, so that no improvement is lost', async () => {
    streams = [
      stream(`id: 8\n${progress(8)}: still here\n\n`, 'destroy'),
      stream('', 'destroy'),
      stream(`id: 16.5\n${progress(16.5)}`, 'end'),
    ];
    statuses = ['succeeded'];
    assert.deepEqual(await follow(), { status: 'succeeded', seen: [8, 16.5] });
    assert.deepEqual(resumed, [undefined, '8', '8']);
  });

  it('waits out a hub that restarts', async () => {
    const unready = (response: ServerResponse): void => {
      response.writeHead(503, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code: 'NOT_READY', message: 'Not ready.', retryable: true } }));
    };
    streams = [unready, (response) => void response.destroy(), stream(progress(5), 'end')];
    statuses = ['failed'];
    assert.deepEqual(await follow(), { status: 'failed', seen: [5] });
  });

  it('gives up when the hub stays away, and says that the job goes on', async () => {
    await assert.rejects(follow(), (error: unknown) => {
      assert.ok(error instanceof CliError);
      assert.equal(error.code, 'HUB_UNREACHABLE');
      assert.match(error.message, /The job goes on if the hub does: braid jobs watch j/);
      return true;
    });
    assert.equal(requests.length, 4);
  });

  it('does not ask again what was refused', async () => {
    streams = [
      (response) => {
        response.writeHead(404, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: { code: 'UNKNOWN_JOB', message: 'There is no composition job j.' } }));
      },
    ];
    await assert.rejects(follow(), { code: 'UNKNOWN_JOB' });
    assert.equal(requests.length, 1);
  });
});
