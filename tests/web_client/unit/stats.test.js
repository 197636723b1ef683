import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStats } from '../../../web_client/stats.js';

const audio = { type: 'inbound-rtp', kind: 'audio', bytesReceived: 1000, packetsReceived: 50, packetsLost: 0,
  jitterBufferDelay: 48, jitterBufferEmittedCount: 960, totalSamplesReceived: 48000, concealedSamples: 500, silentConcealedSamples: 500 };
const video = { type: 'inbound-rtp', kind: 'video', bytesReceived: 9000, packetsReceived: 100, packetsLost: 0,
  framesPerSecond: 25, frameWidth: 512, frameHeight: 512, jitterBufferDelay: 1, jitterBufferEmittedCount: 25 };
const pair = { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.02 };

test('rates are of the time since the last look', () => {
  const first = readStats([audio, video, pair], null, 1000);
  assert.equal(first.quality.kbps, 0);
  const later = readStats(
    [{ ...audio, bytesReceived: 2000, packetsLost: 5, packetsReceived: 95 }, { ...video, bytesReceived: 20500 }, pair], first.counters, 2000);
  assert.equal(later.quality.kbps, 100);
  assert.equal(later.quality.lossRatio, 0.1);
  assert.equal(later.quality.rating, 'poor');
});

test('delays are means over what was played', () => {
  const { quality } = readStats([audio, video, pair], null, 0);
  assert.equal(quality.audioDelayMs, 50);
  assert.equal(quality.videoDelayMs, 40);
  assert.equal(quality.rttMs, 20);
  assert.equal(quality.size, '512×512');
  assert.equal(quality.rating, 'good');
});

test('silence that is invented between answers is not a fault', () => {
  assert.equal(readStats([audio], null, 0).quality.concealedRatio, 0);
});

test('few frames and a far server are noticed; no report at all is not', () => {
  assert.equal(readStats([{ ...video, framesPerSecond: 15 }], null, 0).quality.rating, 'fair');
  assert.equal(readStats([{ ...pair, currentRoundTripTime: 0.5 }], null, 0).quality.rating, 'poor');
  assert.deepEqual(
    { rtt: readStats([], null, 0).quality.rttMs, rating: readStats([], null, 0).quality.rating }, { rtt: null, rating: 'good' });
});

test('counters that were reset do not go negative', () => {
  const { counters } = readStats([audio, video], null, 1000);
  assert.equal(readStats([{ ...audio, bytesReceived: 1 }, video], counters, 2000).quality.kbps, 0);
});
