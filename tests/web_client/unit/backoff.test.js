import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryDelayMs } from '../../../web_client/backoff.js';

const still = { random: () => 0 };

test('tries at once, then slower, then gives up', () => {
  const delays = Array.from({ length: 11 }, (_, attempt) => retryDelayMs(attempt, still));
  assert.deepEqual(delays, [0, 300, 1200, 2700, 4800, 7000, 7000, 7000, 7000, 7000, null]);
});

test('spreads the later tries by up to a second, not the first two', () => {
  const late = { random: () => 0.999 };
  assert.equal(retryDelayMs(0, late), 0);
  assert.equal(retryDelayMs(1, late), 300);
  assert.equal(retryDelayMs(2, late), 1200 + 999);
});

test('an unattended kiosk never gives up', () => {
  assert.equal(retryDelayMs(500, { ...still, persistent: true }), 7000);
});

test('waits as long as the server asked', () => {
  assert.equal(retryDelayMs(0, { ...still, atLeastMs: 5000 }), 5000);
  assert.equal(retryDelayMs(5, { ...still, atLeastMs: 5000 }), 7000);
});
