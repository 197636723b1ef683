import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loudness } from '../../../web_client/loudness.js';

const lowered = { type: 'avatar.volume', gain_db: -18 };
const restored = { type: 'avatar.volume', gain_db: 0 };
const cleared = { type: 'output_audio_buffer.cleared' };
const started = { type: 'output_audio_buffer.started' };

/** @param {number} [volume] */
function playing(volume) {
  const player = { volume: 1 };
  const loudness = new Loudness(player);
  if (volume !== undefined) loudness.volume = volume;
  return { player, hear: (...events) => events.forEach((event) => loudness.receive(event)), loudness };
}

test('a voice over the avatar lowers it at once, and it comes back', () => {
  const { player, hear } = playing();
  hear(lowered);
  assert.ok(Math.abs(20 * Math.log10(player.volume) + 18) < 1e-9);
  hear(restored);
  assert.equal(player.volume, 1);
});

test('what was dropped is not heard; the next answer is', () => {
  const { player, hear } = playing();
  hear(lowered, restored, cleared);
  assert.equal(player.volume, 0);
  hear({ type: 'avatar.state', state: 'listening' });
  assert.equal(player.volume, 0);
  hear(started);
  assert.equal(player.volume, 1);
});

test('the visitor sets the volume, whatever else goes on', () => {
  const { player, hear, loudness } = playing(0.5);
  assert.equal(player.volume, 0.5);
  hear(cleared);
  loudness.volume = 0.8;
  assert.equal(player.volume, 0);
  hear(started);
  assert.equal(player.volume, 0.8);
  loudness.volume = 7;
  assert.equal(player.volume, 1);
});

test('a new call begins at the ordinary loudness', () => {
  const { player, hear, loudness } = playing(0.5);
  hear(cleared);
  loudness.reset();
  assert.equal(player.volume, 0.5);
});

test('a gain that is none changes nothing for the worse', () => {
  const { player, hear } = playing();
  hear({ type: 'avatar.volume', gain_db: 'much' });
  assert.equal(player.volume, 1);
  hear({ type: 'avatar.volume', gain_db: 40 });
  assert.equal(player.volume, 1);
});
