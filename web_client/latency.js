/** Where the time between the visitor's last sound and the first moving lips went, turn by turn. */

/** @typedef {import('./protocol.js').RealtimeEvent} RealtimeEvent */
/**
 * @typedef {object} Turn
 * @property {string} responseId
 * @property {{name: string, ms: number}[]} stages in order: the server's, then "display" measured here
 * @property {number} totalMs
 */

/** The server's stages in the order in which they happen; others are kept behind them. */
const ORDER = ['endpointing', 'transcription', 'thinking', 'synthesis', 'rendering', 'display'];

/** Turns kept for the median. */
const KEPT = 50;

export class LatencyTurns {
  /** @type {Turn[]} newest last */
  #turns = [];
  /** @type {Map<string, number>} display times that came before their turn's report */
  #early = new Map();

  /** @returns {readonly Turn[]} */
  get turns() {
    return this.#turns;
  }

  /** Median of the totals, null before the first turn. @returns {number | null} */
  get medianMs() {
    if (this.#turns.length === 0) return null;
    const totals = this.#turns.map((turn) => turn.totalMs).sort((a, b) => a - b);
    const middle = totals.length >> 1;
    return totals.length % 2 ? totals[middle] : (totals[middle - 1] + totals[middle]) / 2;
  }

  /**
   * @param {RealtimeEvent} event of type `avatar.latency`
   * @returns {Turn | null} null where the report cannot be read, or tells nothing (nobody spoke: a typed turn)
   */
  report(event) {
    const { response_id: responseId, stages, total_ms: total } = event;
    if (typeof responseId !== 'string' || !Number.isFinite(total) || !stages || typeof stages !== 'object') return null;
    const named = Object.entries(stages)
      .filter(([, ms]) => typeof ms === 'number' && Number.isFinite(ms))
      .map(([name, ms]) => ({ name, ms: Math.max(0, Number(ms)) }))
      .sort((a, b) => rank(a.name) - rank(b.name));
    if (named.length === 0) return null;
    const turn = { responseId, stages: named, totalMs: total };
    this.#turns = [...this.#turns.filter((old) => old.responseId !== responseId), turn].slice(-KEPT);
    const early = this.#early.get(responseId);
    if (early !== undefined) this.displayed(responseId, early);
    return turn;
  }

  /**
   * The first frame of an answer was shown.
   * @param {string} responseId
   * @param {number} ms since word came that its sound left the server
   * @returns {Turn | null} the turn, where its report is here already
   */
  displayed(responseId, ms) {
    const turn = this.#turns.find((each) => each.responseId === responseId);
    if (!turn) {
      this.#early.set(responseId, ms);
      if (this.#early.size > KEPT) this.#early.delete(this.#early.keys().next().value ?? '');
      return null;
    }
    this.#early.delete(responseId);
    if (turn.stages.some((stage) => stage.name === 'display')) return turn;
    turn.stages.push({ name: 'display', ms });
    turn.totalMs += ms;
    return turn;
  }
}

/** @param {string} name */
function rank(name) {
  const index = ORDER.indexOf(name);
  return index < 0 ? ORDER.length : index;
}

/** Follows a conversation's events and the video that shows it. */
export class LatencyWatch {
  #turns = new LatencyTurns();
  #video;
  #tell;

  /**
   * @param {HTMLVideoElement} video
   * @param {(turn: Turn, medianMs: number | null) => void} tell at the server's report, and again with "display"
   */
  constructor(video, tell) {
    this.#video = video;
    this.#tell = tell;
  }

  /** @param {RealtimeEvent} event */
  receive(event) {
    if (event.type === 'avatar.latency') {
      this.#pass(this.#turns.report(event));
    } else if (event.type === 'output_audio_buffer.started') {
      void displayedAfter(this.#video, performance.now()).then((ms) => {
        if (ms !== null) this.#pass(this.#turns.displayed(event.response_id, ms));
      });
    }
  }

  /** @param {Turn | null} turn */
  #pass(turn) {
    if (turn) this.#tell(turn, this.#turns.medianMs);
  }
}

/** A frame is counted as the answer's when it was received at most this long before the word that the answer began. */
const SAME_BEAT_MS = 20;

/**
 * Resolves with the milliseconds from `sinceMs` until a frame received after it is on the screen, or null where
 * the browser cannot tell or none is shown within two seconds (the tab is hidden).
 * @param {HTMLVideoElement} video
 * @param {number} sinceMs on performance.now()'s clock
 * @returns {Promise<number | null>}
 */
export function displayedAfter(video, sinceMs) {
  if (!('requestVideoFrameCallback' in video)) return Promise.resolve(null);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), 2000);
    /** @type {VideoFrameRequestCallback} */
    const look = (_now, frame) => {
      const receivedMs = frame.receiveTime ?? frame.presentationTime;
      if (receivedMs < sinceMs - SAME_BEAT_MS) {
        video.requestVideoFrameCallback(look);
        return;
      }
      clearTimeout(timer);
      resolve(Math.max(0, frame.expectedDisplayTime - sinceMs));
    };
    video.requestVideoFrameCallback(look);
  });
}
