/**
 * How loud the avatar is on this page. The server lowers and drops its sound when somebody speaks over it, but what the
 * jitter buffer holds is still to be heard; its events are here sooner, and the page yields with them.
 */

/** @typedef {import('./protocol.js').RealtimeEvent} RealtimeEvent */

export class Loudness {
  #player;
  #volume = 1;
  #gain = 1;

  /** @param {{volume: number}} player a media element */
  constructor(player) {
    this.#player = player;
  }

  /** What the visitor or the page wants, 0 to 1. @param {number} volume */
  set volume(volume) {
    this.#volume = Math.min(1, Math.max(0, volume));
    this.#apply();
  }

  /** @param {RealtimeEvent} event */
  receive(event) {
    switch (event.type) {
      case 'avatar.volume':
        this.#enter(Math.min(1, 10 ** (Number(event.gain_db) / 20)));
        break;
      case 'output_audio_buffer.cleared':
        this.#enter(0);  // until the next answer: what follows is what was dropped
        break;
      case 'output_audio_buffer.started':
        this.#enter(1);
        break;
    }
  }

  /** A new call begins at the ordinary loudness. */
  reset() {
    this.#enter(1);
  }

  /** @param {number} gain */
  #enter(gain) {
    this.#gain = Number.isFinite(gain) ? gain : 1;
    this.#apply();
  }

  #apply() {
    this.#player.volume = this.#volume * this.#gain;
  }
}
