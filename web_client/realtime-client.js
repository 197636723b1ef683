/** A conversation with a Realtime server that survives the loss of its connection. No user interface in here. */

import { retryDelayMs } from './backoff.js';
import { Call } from './call.js';
import { listenerOf } from './dom.js';
import { ParleyError, asParleyError } from './errors.js';
import { readStats } from './stats.js';

/** @typedef {import('./protocol.js').RealtimeEvent} RealtimeEvent */
/** @typedef {'disconnected' | 'connecting' | 'connected' | 'reconnecting'} ConnectionState */
/**
 * @typedef {object} ClientOptions
 * @property {string} endpoint of the server; its path is kept, so that it may live under a prefix
 * @property {() => Promise<string | null>} getToken asked before every call: a token opens one conversation
 * @property {() => Record<string, any>} getSession asked before every call
 * @property {RTCIceServer[]} [iceServers]
 * @property {number} [jitterBufferMs]
 * @property {boolean} [persistent] try for ever, also the first time (an unattended kiosk)
 */

/** Below the 40 ms of one beat; Chromium raises it by itself where packets come unevenly. */
const JITTER_BUFFER_MS = 20;
const STATS_INTERVAL_MS = 1000;

/** Ends that the server meant (docs/protocol.md): calling again would begin another conversation, unasked. */
const FINAL_CODES = new Set(['session_expired', 'idle_timeout']);

/**
 * Events, all with a detail:
 *   connectionstate {state, attempt}   event RealtimeEvent   stream MediaStream
 *   quality Quality                    error ParleyError: a lost connection that could not be restored
 */
export class RealtimeClient extends EventTarget {
  /** @type {ConnectionState} */
  state = 'disconnected';
  #options;
  /** @type {Call | null} */
  #call = null;
  /** @type {MediaStreamTrack | null} */
  #microphone = null;
  #life = new AbortController();
  #statsTimer = 0;
  /** the server has said that this is the end */
  #over = false;
  /** @type {import('./stats.js').Counters | null} */
  #counters = null;

  /** @param {ClientOptions} options */
  constructor(options) {
    super();
    this.#options = options;
  }

  /** @throws {ParleyError} why there is no conversation; AbortError after `disconnect` */
  async connect() {
    if (this.state !== 'disconnected') return;
    this.#life = new AbortController();
    addEventListener('pagehide', this.disconnect);
    this.#enter('connecting', 0);
    const { signal } = this.#life;
    try {
      await this.#open(signal);
    } catch (error) {
      if (!signal.aborted && this.#options.persistent && asParleyError(error).retryable) {
        await this.#retry(signal, asParleyError(error), 1);
      } else {
        this.disconnect();
        throw error;
      }
    }
  }

  /** Also the way to give up while connecting. */
  disconnect = () => {
    removeEventListener('pagehide', this.disconnect);
    this.#life.abort();
    this.#hangUp();
    if (this.state !== 'disconnected') this.#enter('disconnected', 0);
  };

  /**
   * @param {...RealtimeEvent} events
   * @throws {ParleyError} not_connected
   */
  send(...events) {
    for (const event of events) {
      if (!this.#call?.send(event)) {
        throw new ParleyError('not_connected', 'There is no conversation: connect first.');
      }
    }
  }

  /** @param {MediaStreamTrack | null} track */
  async setMicrophone(track) {
    this.#microphone = track;
    await this.#call?.setMicrophone(track);
  }

  /** @param {AbortSignal} signal */
  async #open(signal) {
    const { endpoint, getToken, getSession, iceServers = [], jitterBufferMs = JITTER_BUFFER_MS } = this.#options;
    this.#over = false;
    const token = await getToken();
    signal.throwIfAborted();
    const options = { endpoint, token, session: getSession(), iceServers, jitterBufferMs, microphone: this.#microphone };
    const call = new Call(options);
    const on = listenerOf(call);
    on('stream', (stream) => this.#tell('stream', stream));
    on('event', (event) => this.#receive(event));
    this.#call = call;
    await call.open(signal);
    if (this.#microphone !== options.microphone) await call.setMicrophone(this.#microphone);
    on('lost', (error) => void this.#lost(error));
    this.#statsTimer = window.setInterval(() => void this.#measure(call), STATS_INTERVAL_MS);
    this.#enter('connected', 0);
  }

  #hangUp() {
    clearInterval(this.#statsTimer);
    this.#call?.close();
    this.#call = null;
    this.#counters = null;
  }

  /** @param {RealtimeEvent} event */
  #receive(event) {
    if (event.type === 'error' && FINAL_CODES.has(event.error?.code)) this.#over = true;
    this.#tell('event', event);
  }

  /** @param {ParleyError} error */
  async #lost(error) {
    this.#hangUp();
    if (this.#over) {
      this.disconnect();
      return;
    }
    await this.#retry(this.#life.signal, error, 0).catch(() => {});
  }

  /**
   * @param {AbortSignal} signal
   * @param {ParleyError} error that made it necessary
   * @param {number} attempt
   */
  async #retry(signal, error, attempt) {
    for (let next = attempt; ; next += 1) {
      const { persistent } = this.#options;
      const waitMs = error.retryable
        ? retryDelayMs(next, { persistent, atLeastMs: error.retryAfterMs }) : null;
      if (waitMs === null) {
        this.disconnect();
        this.#tell('error', error);
        throw error;
      }
      this.#enter('reconnecting', next + 1);
      await pause(waitMs, signal);
      try {
        await this.#open(signal);
        return;
      } catch (cause) {
        signal.throwIfAborted();
        this.#hangUp();
        error = asParleyError(cause);
      }
    }
  }

  /** @param {Call} call */
  async #measure(call) {
    const report = await call.getStats().catch(() => null);
    if (!report || call !== this.#call) return;
    const { quality, counters } = readStats(report.values(), this.#counters, performance.now());
    this.#counters = counters;
    this.#tell('quality', quality);
  }

  /** @param {ConnectionState} state @param {number} attempt of reconnecting, from 1 */
  #enter(state, attempt) {
    this.state = state;
    this.#tell('connectionstate', { state, attempt });
  }

  /** @param {string} type @param {any} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Waits, but no longer than until the network is back.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
