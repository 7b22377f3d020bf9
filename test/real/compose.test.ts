// Compositions for fifteen unseen tasks on the real model, against the base, the best single adapter, the uniform mixture and LoraHub's own run.
// Prints the table that README keeps.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Example, openRealBed } from './bed.js';
import { type MixturePart, type RealHub, startRealHub } from './real-hub.js';

/** Tasks (of fifteen) on which the objective must be no worse than LoraHub's. */
const REQUIRED_WINS = 12;
const TEST_EXAMPLES = 100;

interface Measured {
  readonly loss: number;
  readonly exactMatch: number;
}

interface Row {
  readonly task: string;
  readonly base: Measured;
  readonly single: Measured;
  readonly uniform: Measured;
  readonly composed: Measured;
  readonly objective: number;
  readonly peerObjective: number;
  readonly peerExactMatch: number;
  readonly evaluations: number;
  readonly seconds: number;
}

describe('compositions for fifteen unseen tasks', () => {
  const bed = openRealBed();
  const rows: Row[] = [];
  let hub: RealHub;

  before(async () => {
    hub = await startRealHub(bed, bed.candidates);
  });
  after(async () => {
    await hub.close();
  });

  async function exactMatch(examples: readonly Example[], request: Record<string, unknown>): Promise<number> {
    const answer = await hub.complete({ ...request, prompt: examples.map(({ prompt }) => prompt), max_tokens: 8, temperature: 0 });
    const texts = new Map(answer.choices.map(({ index, text }) => [index, text]));
    const right = examples.filter(({ completion }, i) => (texts.get(i) ?? '').trim().split('\n')[0]?.trim() === completion.trim());
    return right.length / examples.length;
  }

  for (const task of bed.tasks) {
    it(task, async (t) => {
      const peer = bed.peerResults.find((result) => result.task === task && result.seed === 0 && result.method === 'lorahub40');
      assert.ok(peer?.objective !== undefined);
      const train = bed.train(task);
      const examples = peer.examples.map((i) => train[i]).filter((example) => example !== undefined);
      assert.equal(examples.length, 5);
      const test = bed.test(task).slice(0, TEST_EXAMPLES);

      const started = performance.now();
      const name = `composed/${task.replaceAll('_', '-')}`;
      const { report, model } = await hub.compose({
        name,
        base: hub.baseName,
        examples,
        adapters: bed.candidates.map((candidate) => hub.adapterName(candidate)),
        seed: 0,
      });
      const seconds = (performance.now() - started) / 1000;

      const singles = [...report.singles].sort((a, b) => a.loss - b.loss);
      const best = singles[0];
      assert.ok(best !== undefined);
      const mixture: MixturePart[] = bed.candidates.map((candidate) => ({
        adapter: hub.adapterName(candidate),
        weight: 1 / bed.candidates.length,
      }));
      const row: Row = {
        task,
        base: { loss: report.base.loss, exactMatch: await exactMatch(test, { model: hub.baseName }) },
        single: { loss: best.loss, exactMatch: await exactMatch(test, { model: best.adapter }) },
        uniform: { loss: report.uniform.loss, exactMatch: await exactMatch(test, { model: hub.baseName, mixture }) },
        composed: { loss: report.composed.loss, exactMatch: await exactMatch(test, { model }) },
        objective: report.composed.objective,
        peerObjective: peer.objective,
        peerExactMatch: peer.em,
        evaluations: report.evaluations,
        seconds,
      };
      rows.push(row);
      const baselines = [report.base, report.uniform, ...report.singles].map(({ objective }) => objective);
      assert.ok(row.objective <= Math.min(...baselines) + 1e-6, 'never worse than a baseline that was measured');
      t.diagnostic(
        `objective ${row.objective.toFixed(4)} (LoraHub ${row.peerObjective.toFixed(4)}), exact match ${row.composed.exactMatch.toFixed(2)}`,
      );
    });
  }

  it(`the objective is no worse than LoraHub's on at least ${REQUIRED_WINS} of fifteen`, () => {
    console.log(renderTable(rows));
    const wins = rows.filter((row) => row.objective <= row.peerObjective).length;
    assert.ok(wins >= REQUIRED_WINS, `${wins} of ${rows.length}`);
  });
});

function renderTable(rows: readonly Row[]): string {
  const cell = ({ loss, exactMatch }: Measured): string => `${loss.toFixed(2)} / ${exactMatch.toFixed(2)}`;
  const lines = rows.map((row) =>
    [
      row.task,
      cell(row.base),
      cell(row.single),
      cell(row.uniform),
      cell(row.composed),
      `${row.peerObjective.toFixed(2)} / ${row.peerExactMatch.toFixed(2)}`,
      Math.ceil(row.evaluations),
      row.seconds.toFixed(0),
    ].join(' | '),
  );
  const mean = (pick: (row: Row) => number): string => (rows.reduce((sum, row) => sum + pick(row), 0) / rows.length).toFixed(2);
  const means = [
    '**mean exact match**',
    mean((row) => row.base.exactMatch),
    mean((row) => row.single.exactMatch),
    mean((row) => row.uniform.exactMatch),
    mean((row) => row.composed.exactMatch),
    mean((row) => row.peerExactMatch),
    '',
    mean((row) => row.seconds),
  ].join(' | ');
  return [
    'Few-shot loss / held-out exact match on 100 test examples (LoraHub: objective / exact match)',
    '',
    '| task | base | best single | uniform | composed | LoraHub | evaluations | seconds |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...[...lines, means].map((line) => `| ${line} |`),
  ].join('\n');
}
