/** The visitor's microphone: opened after a gesture only, and every refusal explained. */

import { ParleyError } from './errors.js';

/** @typedef {'off' | 'asking' | 'live' | 'muted' | 'denied' | 'absent' | 'insecure' | 'failed'} MicrophoneState */

/**
 * True while a click or key press entitles the page to open the microphone. A browser that cannot tell (Firefox
 * before 120) is believed: it asks its user anyway.
 */
export function hasGesture() {
  return navigator.userActivation?.isActive ?? true;
}

/**
 * @param {string} deviceId of one microphone; empty for the system's default
 * @returns {Promise<MediaStreamTrack>}
 * @throws {ParleyError} insecure_page, microphone_denied, microphone_absent, microphone_busy, microphone_failed
 */
async function openTrack(deviceId) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new ParleyError('insecure_page', 'Browsers give the microphone only to pages served over HTTPS or from localhost.');
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        // Without echo cancellation the avatar's own voice would interrupt it.
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
        channelCount: 1,
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      },
    });
    return stream.getAudioTracks()[0];
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (deviceId && name === 'OverconstrainedError') return openTrack('');  // it was unplugged
    throw microphoneProblem(name, error);
  }
}

/** @type {Record<string, [string, string]>} by the names that getUserMedia rejects with */
const PROBLEMS = {
  NotAllowedError: ['microphone_denied', 'The microphone is blocked for this page. Allow it in the address bar.'],
  SecurityError: ['microphone_denied', 'This page may not use the microphone. An embedding page must allow it.'],
  NotFoundError: ['microphone_absent', 'No microphone was found. Connect one, or type.'],
  NotReadableError: ['microphone_busy', 'Another program is using the microphone. Close it, or type.'],
  AbortError: ['microphone_busy', 'The microphone could not be started. Try again, or type.'],
};

/**
 * @param {string} name of the DOMException
 * @param {unknown} cause
 * @returns {ParleyError}
 */
export function microphoneProblem(name, cause) {
  const [code, message] = PROBLEMS[name] ?? ['microphone_failed', `The microphone could not be opened (${name}).`];
  return new ParleyError(code, message, { cause });
}

/** @type {Record<string, MicrophoneState>} */
const STATE_OF_CODE = { insecure_page: 'insecure', microphone_denied: 'denied', microphone_absent: 'absent' };

/** Events: `state`; `level` (detail: loudness 0 to 1); `lost` (it was unplugged or taken away). */
export class Microphone extends EventTarget {
  /** @type {MicrophoneState} */
  state = 'off';
  /** @type {MediaStreamTrack | null} */
  track = null;
  #muted = false;
  #opening = 0;
  #stopLevel = () => {};

  /** Muted, it stays open and sends silence, so that the end of a sentence is still noticed. @param {boolean} muted */
  set muted(muted) {
    this.#muted = muted;
    if (!this.track) return;
    this.track.enabled = !muted;
    this.#enter(muted ? 'muted' : 'live');
  }

  /**
   * Replaces the one before. Resolves with null where `close` or another `open` came first.
   * @param {string} deviceId empty for the system's default
   * @returns {Promise<MediaStreamTrack | null>}
   * @throws {ParleyError}
   */
  async open(deviceId) {
    const turn = ++this.#opening;
    if (!this.track) this.#enter('asking');
    try {
      const track = await openTrack(deviceId);
      if (turn !== this.#opening) {
        track.stop();
        return null;
      }
      this.#release();
      this.track = track;
      this.muted = this.#muted;
      track.onended = () => {
        this.close();
        this.dispatchEvent(new Event('lost'));
      };
      this.#stopLevel = watchLevel(track, (detail) => this.dispatchEvent(new CustomEvent('level', { detail })));
      return track;
    } catch (error) {
      if (turn !== this.#opening) return null;
      if (!this.track) this.#enter(error instanceof ParleyError ? (STATE_OF_CODE[error.code] ?? 'failed') : 'failed');
      throw error;
    }
  }

  close() {
    this.#opening += 1;
    this.#release();
    this.#enter('off');
  }

  #release() {
    this.#stopLevel();
    this.#stopLevel = () => {};
    this.track?.stop();
    this.track = null;
  }

  /** @param {MicrophoneState} state */
  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}

/** How often the level is looked at: enough for a ring that breathes with the voice, little work for the page. */
const LEVEL_INTERVAL_MS = 66;

/**
 * Calls back with the microphone's loudness, 0 to 1, until the returned function is called.
 * @param {MediaStreamTrack} track
 * @param {(level: number) => void} callback
 * @returns {() => void}
 */
function watchLevel(track, callback) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    // -55 dBFS is a quiet room and -15 dBFS a near voice: that range fills the scale.
    callback(Math.min(1, Math.max(0, (20 * Math.log10(rms + 1e-6) + 55) / 40)));
  }, LEVEL_INTERVAL_MS);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}
