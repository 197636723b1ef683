import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyTurns } from '../../../web_client/latency.js';

const report = (id, total, stages = { synthesis: 100, endpointing: 200, own_stage: 3 }) =>
  ({ type: 'avatar.latency', response_id: id, stages, total_ms: total });

test('stages come in the order in which they happen', () => {
  const turn = new LatencyTurns().report(report('r', 303));
  assert.deepEqual(turn?.stages.map(({ name }) => name), ['endpointing', 'synthesis', 'own_stage']);
});

test('the display time is added once, whether it comes before or after the report', () => {
  const turns = new LatencyTurns();
  assert.equal(turns.displayed('early', 40), null);
  assert.equal(turns.report(report('early', 300))?.totalMs, 340);
  turns.report(report('late', 300));
  assert.equal(turns.displayed('late', 50)?.totalMs, 350);
  assert.equal(turns.displayed('late', 50)?.totalMs, 350);
});

test('the median is of the totals', () => {
  const turns = new LatencyTurns();
  assert.equal(turns.medianMs, null);
  for (const [id, total] of [['a', 500], ['b', 900], ['c', 600]]) turns.report(report(id, total));
  assert.equal(turns.medianMs, 600);
  turns.report(report('d', 700));
  assert.equal(turns.medianMs, 650);
});

test('what cannot be read is left out', () => {
  const turns = new LatencyTurns();
  assert.equal(turns.report(report('r', 'soon')), null);
  assert.equal(turns.report(report('r', 100, null)), null);
  assert.equal(turns.report(report('typed', 0, {})), null);
  assert.deepEqual(turns.report(report('r', 100, { thinking: 'x', rendering: -1 }))?.stages, [{ name: 'rendering', ms: 0 }]);
});
