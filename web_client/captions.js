/**
 * Who said what, timed to what is heard. Sans-I/O: events and the time go in, captions come out.
 *
 * The server sends `avatar.caption` for a word when its sound leaves the server; the sound is heard later by what
 * the browser's jitter buffer holds, and so the word is held back by as much.
 */

/** @typedef {import('./protocol.js').RealtimeEvent} RealtimeEvent */
/**
 * @typedef {object} Caption
 * @property {string} id of the conversation item
 * @property {'user' | 'assistant'} role
 * @property {string} text so far
 * @property {boolean} final nothing will be added
 * @property {boolean} interrupted the avatar was cut off; `text` is what was heard
 */
/** @typedef {{itemId: string | null, full: string, ended: boolean}} Answer */

export class Captions {
  /** @type {Map<string, Caption>} */
  #items = new Map();
  /** @type {Map<string, Answer>} */
  #answers = new Map();
  /** @type {{atMs: number, run: () => void}[]} */
  #pending = [];
  #emit;

  /** @param {(caption: Caption) => void} emit called with a copy at every change; an empty final text means: forget it */
  constructor(emit) {
    this.#emit = emit;
  }

  /** Time at which `advance` has something to do, or null. @returns {number | null} */
  get nextMs() {
    return this.#pending.length > 0 ? this.#pending[0].atMs : null;
  }

  /** @returns {Caption[]} the conversation so far, in order */
  get all() {
    return [...this.#items.values()].filter((caption) => caption.text).map((caption) => ({ ...caption }));
  }

  /** Show what is due. @param {number} nowMs */
  advance(nowMs) {
    while (this.#pending.length > 0 && this.#pending[0].atMs <= nowMs) this.#pending.shift()?.run();
  }

  /** The connection is gone: what was half said stays as it is. */
  close() {
    for (const { run } of this.#pending.splice(0)) run();
    for (const { id, role, text, final } of [...this.#items.values()]) {
      if (!final) this.#finish(id, { text, interrupted: role === 'assistant' });
    }
    this.#answers.clear();
  }

  /** A message typed here. @param {string} id @param {string} text */
  typed(id, text) {
    this.#change(id, 'user', { text, final: true });
  }

  /**
   * @param {RealtimeEvent} event
   * @param {number} nowMs
   * @param {number} [delayMs] from the server's release of a sound to the ear
   */
  receive(event, nowMs, delayMs = 0) {
    switch (event.type) {
      case 'input_audio_buffer.speech_started':
        this.#change(event.item_id, 'user', {});
        break;
      case 'conversation.item.input_audio_transcription.delta':
        this.#append(event.item_id, 'user', event.delta);
        break;
      case 'conversation.item.input_audio_transcription.completed':
        this.#finish(event.item_id, { text: event.transcript, role: 'user' });
        break;
      case 'conversation.item.input_audio_transcription.failed':
        this.#finish(event.item_id, { role: 'user' });
        break;
      case 'conversation.item.added':
      case 'conversation.item.created':
        this.#added(event.item);
        break;
      case 'conversation.item.deleted':
        this.#finish(event.item_id, { text: '' });
        break;
      case 'response.output_item.added':
        this.#answer(event.response_id).itemId = event.item?.id ?? null;
        break;
      case 'avatar.caption':
        this.#answer(event.response_id).itemId = event.item_id;
        this.#later(nowMs + delayMs, () => this.#append(event.item_id, 'assistant', event.text));
        break;
      case 'response.output_audio_transcript.done':
        this.#answer(event.response_id).full = event.transcript;
        this.#answer(event.response_id).itemId = event.item_id;
        break;
      case 'response.output_text.delta':
        this.#append(event.item_id, 'assistant', event.delta);
        break;
      case 'response.output_text.done':
        this.#finish(event.item_id, { text: event.text, role: 'assistant' });
        break;
      case 'output_audio_buffer.stopped':
        this.#later(nowMs + delayMs, () => this.#end(event.response_id, false));
        break;
      case 'output_audio_buffer.cleared':
        this.#later(nowMs + delayMs, () => this.#end(event.response_id, true));
        break;
      case 'response.done':
        // Completed means made, not heard: its sound may not even have begun.
        if (event.response?.status === 'cancelled' || event.response?.status === 'failed') {
          this.#later(nowMs + delayMs, () => this.#end(event.response.id, true));
        }
        break;
    }
  }

  /** @param {any} item */
  #added(item) {
    if (item?.type !== 'message' || item.role !== 'user' || !Array.isArray(item.content)) return;
    const text = item.content
      .filter((/** @type {any} */ part) => part?.type === 'input_text' && typeof part.text === 'string')
      .map((/** @type {any} */ part) => part.text).join(' ');
    if (text) this.typed(item.id, text);
  }

  /** @param {string} responseId @returns {Answer} */
  #answer(responseId) {
    let answer = this.#answers.get(responseId);
    if (!answer) {
      answer = { itemId: null, full: '', ended: false };
      this.#answers.set(responseId, answer);
    }
    return answer;
  }

  /** @param {string} responseId @param {boolean} interrupted */
  #end(responseId, interrupted) {
    const answer = this.#answer(responseId);
    if (answer.ended || answer.itemId === null) return;
    answer.ended = true;
    const whole = !interrupted && answer.full;
    this.#finish(answer.itemId, { role: 'assistant', interrupted, ...(whole ? { text: answer.full } : {}) });
  }

  /** In order, even when the delay shrinks between two words. @param {number} atMs @param {() => void} run */
  #later(atMs, run) {
    const last = this.#pending.at(-1)?.atMs ?? 0;
    this.#pending.push({ atMs: Math.max(atMs, last), run });
  }

  /** @param {string} id @param {'user' | 'assistant'} role @param {unknown} text */
  #append(id, role, text) {
    if (typeof text !== 'string' || this.#items.get(id)?.final) return;
    this.#change(id, role, { text: (this.#items.get(id)?.text ?? '') + text });
  }

  /** @param {string} id @param {{text?: unknown, role?: 'user' | 'assistant', interrupted?: boolean}} change */
  #finish(id, { text, role, interrupted = false }) {
    const known = this.#items.get(id);
    if (!known && typeof text !== 'string') return;
    const whole = typeof text === 'string' ? text : known?.text ?? '';
    this.#change(id, known?.role ?? role ?? 'user', { final: true, interrupted, text: whole.trim() });
  }

  /** @param {string} id @param {'user' | 'assistant'} role @param {Partial<Caption>} change */
  #change(id, role, change) {
    if (typeof id !== 'string') return;
    const caption = { ...(this.#items.get(id) ?? { id, role, text: '', final: false, interrupted: false }), ...change };
    this.#items.set(id, caption);
    this.#emit({ ...caption });
  }
}

/** Shorter than this, sentences stay together: "Dr." does not turn the page. */
const PAGE_CHARACTERS = 48;

/**
 * What of a long answer stands in the picture: the sentence being said, with short ones before it.
 * @param {string} text
 */
export function captionPage(text) {
  let page = '';
  for (const sentence of text.split(/(?<=[.!?]["'”’)]*\s)|(?<=[。！？][”’」]*)(?![”’」])/u)) {
    page = page.trim().length >= PAGE_CHARACTERS && sentence.trim() ? sentence : page + sentence;
  }
  return page.trim();
}
