/** One WebRTC call to a Realtime server: microphone out; sound, picture and events in. It is opened once and closed once. */

import { ParleyError, asParleyError, errorFromResponse } from './errors.js';
import { parseEvent } from './protocol.js';

/** @typedef {import('./protocol.js').RealtimeEvent} RealtimeEvent */
/**
 * @typedef {object} CallOptions
 * @property {string} endpoint of the server, ending in "/"
 * @property {string | null} token presented as a bearer token
 * @property {Record<string, any>} session what the conversation is wished to be
 * @property {RTCIceServer[]} iceServers
 * @property {number} jitterBufferMs wished delay of sound and picture alike; the browser raises it as the network demands
 * @property {MediaStreamTrack | null} microphone
 */

/** Our candidates are only a help (the server learns them from our checks), so the offer waits for them no longer. */
const GATHERING_MS = 200;
/** Signalling and the way to the media; a busy server on two cores needs about a second. */
const OPENING_MS = 20_000;
/** A vanished peer is noticed by ICE after some 30 s; by unanswered pings, one a second, after four. */
const PING_INTERVAL_MS = 1000;
const PINGS_UNANSWERED = 4;

/**
 * Events: `event` (detail: RealtimeEvent), `stream` (detail: MediaStream), `lost` (detail: ParleyError, at most once,
 * after which only `close` remains to be called).
 */
export class Call extends EventTarget {
  #options;
  #peer;
  #channel;
  #audio;
  /** @type {URL | null} */
  #location = null;
  #unanswered = 0;
  #timer = 0;
  #closed = false;

  /** @param {CallOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#peer = new RTCPeerConnection({ iceServers: options.iceServers });
    // Both ways from the start, with or without a microphone: one that is allowed later needs no new negotiation.
    this.#audio = this.#peer.addTransceiver('audio', { direction: 'sendrecv' });
    const video = this.#peer.addTransceiver('video', { direction: 'recvonly' });
    preferVp8(video);
    for (const { receiver } of [this.#audio, video]) setJitterBuffer(receiver, options.jitterBufferMs);
    this.#channel = this.#peer.createDataChannel('oai-events');
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#channel.onclose = () => this.#lose('The server ended the connection.');
    this.#peer.ontrack = ({ streams, track }) =>
      this.#tell('stream', streams[0] ?? new MediaStream([track]));
    this.#peer.onconnectionstatechange = () => {
      if (this.#peer.connectionState === 'failed') this.#lose('The connection to the server broke.');
    };
  }

  /**
   * Resolves when events can be sent.
   * @param {AbortSignal} signal
   * @throws {ParleyError}
   */
  async open(signal) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(OPENING_MS)]);
    try {
      // A peer that is closed in the middle never settles what it was asked for.
      await Promise.race([this.#negotiate(limit), aborted(signal)]);
    } catch (error) {
      this.close();
      signal.throwIfAborted();
      if (limit.aborted && this.#location === null) {
        throw new ParleyError('timeout', 'The server did not answer in time.', { cause: error });
      }
      throw asParleyError(error);
    }
    this.#timer = window.setInterval(() => this.#ping(), PING_INTERVAL_MS);
    this.#ping();  // at once: from the first on, the server notices a browser that is gone within seconds
  }

  /** @param {AbortSignal} limit */
  async #negotiate(limit) {
    await this.setMicrophone(this.#options.microphone);
    await this.#peer.setLocalDescription();
    await this.#gathered();
    const sdp = await this.#signal(limit);
    await this.#peer.setRemoteDescription({ type: 'answer', sdp }).catch((cause) => {
      throw new ParleyError('invalid_answer', 'The server answered with something other than a call.', { cause });
    });
    await this.#opened(limit);
  }

  /** @param {MediaStreamTrack | null} track replaces the one before; null sends nothing */
  async setMicrophone(track) {
    if (!this.#closed) await this.#audio.sender.replaceTrack(track);
  }

  /**
   * @param {RealtimeEvent} event
   * @returns {boolean} false where it could not be sent
   */
  send(event) {
    if (this.#channel.readyState !== 'open') return false;
    this.#channel.send(JSON.stringify(event));
    return true;
  }

  getStats() {
    return this.#peer.getStats();
  }

  /** Ends the call here and at the server; may be called while the page is being left. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#channel.onclose = null;
    this.#peer.onconnectionstatechange = null;
    this.#peer.close();
    if (this.#location) {
      // keepalive outlives the page; the server's own timeouts catch what does not arrive.
      fetch(this.#location, { method: 'DELETE', headers: this.#authorization(), keepalive: true }).catch(() => {});
    }
  }

  #authorization() {
    return this.#options.token ? { Authorization: `Bearer ${this.#options.token}` } : undefined;
  }

  /** @param {AbortSignal} signal @returns {Promise<string>} the answer's SDP */
  async #signal(signal) {
    const calls = new URL('v1/realtime/calls', this.#options.endpoint);
    const form = new FormData();
    form.set('sdp', withoutMulticastNames(this.#peer.localDescription?.sdp ?? ''));
    form.set('session', JSON.stringify(this.#options.session));
    let response;
    try {
      response = await fetch(calls, { method: 'POST', body: form, headers: this.#authorization(), signal });
    } catch (cause) {
      throw new ParleyError('network', `The server at ${calls.host} cannot be reached.`, { cause });
    }
    if (!response.ok) throw await errorFromResponse(response);
    const location = new URL(response.headers.get('Location') ?? '', response.url);
    // The token goes nowhere but to the server that it is for.
    if (location.origin === calls.origin && location.pathname !== calls.pathname) this.#location = location;
    return response.text();
  }

  /** @returns {Promise<void>} */
  #gathered() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHERING_MS);
      this.#peer.onicegatheringstatechange = () => {
        if (this.#peer.iceGatheringState !== 'complete') return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** @param {AbortSignal} signal @returns {Promise<void>} */
  #opened(signal) {
    return new Promise((resolve, reject) => {
      const blocked = () => reject(new ParleyError(
        'media_blocked', 'The server answered, but sound and picture do not get through. A firewall may block UDP.'));
      signal.addEventListener('abort', blocked, { once: true });
      this.addEventListener('lost', blocked, { once: true });
      this.#channel.onopen = () => {
        signal.removeEventListener('abort', blocked);
        resolve();
      };
    });
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#unanswered = 0;
    const event = parseEvent(data);
    if (event) this.#tell('event', event);
  }

  #ping() {
    if (this.#unanswered >= PINGS_UNANSWERED) {
      this.#lose('The server stopped answering.');
    } else if (this.send({ type: 'avatar.ping' })) {
      this.#unanswered += 1;
    }
  }

  /** @param {string} message */
  #lose(message) {
    clearInterval(this.#timer);
    this.#channel.onclose = null;
    this.#peer.onconnectionstatechange = null;
    this.#tell('lost', new ParleyError('connection_lost', message));
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    if (!this.#closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Rejects when the signal is aborted. @param {AbortSignal} signal @returns {Promise<never>} */
const aborted = (signal) => new Promise((_, reject) => {
  if (signal.aborted) reject(signal.reason);
  else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
});

/** VP8 decodes everywhere and costs the server little more than half of H.264. @param {RTCRtpTransceiver} transceiver */
function preferVp8(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
  const isVp8 = (/** @type {{mimeType: string}} */ codec) => codec.mimeType === 'video/VP8';
  const ordered = [...codecs.filter(isVp8), ...codecs.filter((codec) => !isVp8(codec))];
  if (ordered.length > 0) transceiver.setCodecPreferences?.(ordered);
}

/** @param {RTCRtpReceiver} receiver @param {number} targetMs */
function setJitterBuffer(receiver, targetMs) {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = targetMs;
  else Reflect.set(receiver, 'playoutDelayHint', targetMs / 1000);  // Chromium before 124
}

/**
 * Without leave to use the microphone Chromium hides local addresses behind multicast DNS names. A server would
 * spend seconds on looking them up, and it learns the addresses from the first connectivity check anyway.
 * @param {string} sdp
 */
export function withoutMulticastNames(sdp) {
  return sdp.split('\r\n').filter((line) => !/^a=candidate:.* \S+\.local /.test(line)).join('\r\n');
}
