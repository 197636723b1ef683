/** Captions on the page's clock: a thin shell around captions.js, which decides. */

import { Captions } from './captions.js';

/** From the jitter buffer to the loudspeaker: mixing and the sound card; 20 ms is one packet. */
const PLAYOUT_MS = 20;

export class TimedCaptions {
  /** Mean time that sound waits in the jitter buffer; measured by stats.js. */
  jitterBufferMs = 0;
  #captions;
  #timer = 0;

  /** @param {(caption: import('./captions.js').Caption) => void} emit */
  constructor(emit) {
    this.#captions = new Captions(emit);
  }

  get all() {
    return this.#captions.all;
  }

  /** @param {import('./protocol.js').RealtimeEvent} event */
  receive(event) {
    this.#captions.receive(event, performance.now(), this.jitterBufferMs + PLAYOUT_MS);
    this.#schedule();
  }

  /** @param {string} id @param {string} text */
  typed(id, text) {
    this.#captions.typed(id, text);
  }

  close() {
    clearTimeout(this.#timer);
    this.#captions.close();
  }

  #schedule() {
    clearTimeout(this.#timer);
    const { nextMs } = this.#captions;
    if (nextMs === null) return;
    this.#timer = window.setTimeout(() => {
      this.#captions.advance(performance.now());
      this.#schedule();
    }, nextMs - performance.now());
  }
}
