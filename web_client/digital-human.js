/**
 * `<digital-human>`: a face to talk with, as one element.
 *
 *   <script type="module" src="https://avatar.example/digital-human.js"></script>
 *   <digital-human persona="helen" captions></digital-human>
 *
 * Attributes: endpoint, token-url, persona, lang, captions, muted, poster, mode="inline|floating|kiosk", autostart,
 * jitter-buffer. Events: connectionstate, agentstate, microphonestate, caption, ready, interrupted, metrics, error,
 * realtime. docs/embedding.md tells the whole of it.
 */

import { listenerOf } from './dom.js';
import { ParleyError, asParleyError, errorFromEvent } from './errors.js';
import { errorText, translator } from './i18n.js';
import { LatencyWatch } from './latency.js';
import { Loudness } from './loudness.js';
import { Microphone, hasGesture } from './microphone.js';
import { firstFrame, hasPicture, playAloud } from './picture.js';
import { chatMessage, gestureCommand, isAgentState, mannerCommand, newId, say, sessionOf, sessionUpdate } from './protocol.js';
import { RealtimeClient } from './realtime-client.js';
import { sheet } from './style.js';
import { TimedCaptions } from './timed-captions.js';
import { fetchToken } from './token.js';
import { View } from './view.js';

/** @typedef {import('./protocol.js').RealtimeEvent} RealtimeEvent */
/** @typedef {import('./protocol.js').SessionWishes} SessionWishes */
/** @typedef {import('./captions.js').Caption} Caption */

/** A caption leaves the picture this long after its sentence is over. */
const CAPTION_LINGER_MS = 3500;
/** What the server answers when there is nothing left to cancel: a race that both sides may lose. */
const HARMLESS = new Set(['response_cancel_not_active']);

export class DigitalHuman extends HTMLElement {
  static observedAttributes = ['persona', 'lang', 'captions', 'muted', 'poster', 'mode'];

  /** @type {(() => Promise<string | null>) | null} gives a fresh `ek_` token for every call; wins over `token-url` */
  tokenProvider = null;
  /** @type {SessionWishes} persona and language come from the attributes */
  wishes = {};
  /** @type {RTCIceServer[]} */
  iceServers = [];

  #state = /** @type {import('./view.js').ViewState} */ ({
    connection: 'disconnected', agent: 'idle', microphone: 'off', picture: false, captions: false, caption: null,
    typing: false, soundBlocked: false, unfolded: false, floating: false, poster: '', name: '', notice: null,
  });
  #view = this.#createView();
  #loudness = new Loudness(this.#view.video);
  #microphone = new Microphone();
  #microphoneId = '';
  /** @type {RealtimeClient | null} */
  #client = null;
  /** @type {Promise<void> | null} */
  #connecting = null;
  #pictureless = new AbortController();
  #captions = new TimedCaptions((caption) => this.#showCaption(caption));
  #lingerTimer = 0;
  #responding = false;

  constructor() {
    super();
    this.#microphone.addEventListener('state', () => {
      this.#set({ microphone: this.#microphone.state });
      this.#tell('microphonestate', { state: this.#microphone.state });
    });
    listenerOf(this.#microphone)('level', (level) => this.#view.level(this.#state.agent === 'listening' ? level : 0));
    this.#microphone.addEventListener('lost', () => {
      void this.#client?.setMicrophone(null);
      this.#fail(new ParleyError('microphone_absent', 'The microphone was disconnected.'));
    });
    this.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape' && this.#state.agent === 'speaking') this.interrupt();
    });
  }

  connectedCallback() {
    if (this.mode === 'kiosk') this.setAttribute('captions', '');
    this.#set({});
    if (this.hasAttribute('autostart')) queueMicrotask(() => quietly(this.connect({ microphone: false })));
  }

  disconnectedCallback() {
    this.disconnect();
  }

  attributeChangedCallback() {
    this.#microphone.muted = this.hasAttribute('muted');
    this.#set({});
  }

  /** URL of the server, ending in "/"; by default where this module came from. */
  get endpoint() {
    const base = this.getAttribute('endpoint') || new URL('.', import.meta.url).href;
    return new URL(base.endsWith('/') ? base : `${base}/`, document.baseURI).href;
  }

  get mode() { return this.getAttribute('mode') ?? 'inline'; }
  get language() {
    return this.getAttribute('lang') || this.closest('[lang]')?.getAttribute('lang') || navigator.language;
  }

  get connectionState() { return this.#state.connection; }
  get agentState() { return this.#state.agent; }
  get microphoneState() { return this.#microphone.state; }
  /** The conversation so far. @returns {Caption[]} */
  get transcript() { return this.#captions.all; }

  /**
   * Begin a conversation; resolves at the first displayed frame. The microphone is opened only when this is called
   * from a click or key press; without one, or where it is refused, the conversation is by text.
   * @param {{microphone?: boolean}} [options]
   * @returns {Promise<void>}
   * @throws {ParleyError} also told by an `error` event; AbortError when `disconnect` came first
   */
  connect({ microphone = true } = {}) {
    this.#connecting ??= this.#connect(microphone).finally(() => { this.#connecting = null; });
    return this.#connecting;
  }

  disconnect() {
    this.#client?.disconnect();
  }

  /** Say this word for word, after what is being said. @param {string} text */
  speak(text) {
    this.#send(say(text));
  }

  /** A typed message, answered aloud. @param {string} text @returns {string} id of its caption */
  chat(text) {
    const id = newId('item');
    this.interrupt();
    this.#send(...chatMessage(text, id));
    this.#responding = true;  // before the server says so: a second message may follow at once
    this.#captions.typed(id, text);
    return id;
  }

  /** The avatar stops thinking and speaking. */
  interrupt() {
    if (this.#responding) this.#send({ type: 'response.cancel' });
    if (this.#state.agent === 'speaking') this.#send({ type: 'output_audio_buffer.clear' });
    this.#responding = false;
  }

  /** @param {string} name @param {number} [strength] 0 to 1 */
  gesture(name, strength = 1) {
    this.#send(gestureCommand(name, strength));
  }

  /** How it moves from now on. @param {number} mood -1 grave to 1 cheerful @param {number} [gestures] 0 hands still to 1 lively */
  manner(mood, gestures = 0.5) {
    this.#send(mannerCommand(mood, gestures));
  }

  /** The microphone stays open but sends silence. */
  mute() {
    this.setAttribute('muted', '');
  }

  /** Also opens a microphone that is not open yet, when called from a click or key press. */
  unmute() {
    this.removeAttribute('muted');
    if (!this.#microphone.track && this.#client && hasGesture()) void this.#listen();
  }

  /** @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.#loudness.volume = volume;
  }

  /** Change how the conversation is held, now if there is one. @param {Omit<SessionWishes, 'persona'>} wishes */
  configure(wishes) {
    this.wishes = { ...this.wishes, ...wishes };
    if (this.#state.connection === 'connected') this.#send(sessionUpdate(wishes));
  }

  /** Another microphone, now or from the next conversation on. @param {string} deviceId empty for the default */
  async useMicrophone(deviceId) {
    this.#microphoneId = deviceId;
    if (this.#microphone.track) await this.#listen();
  }

  /** @param {boolean} microphone */
  async #connect(microphone) {
    if (this.#client) return;
    if (!('RTCPeerConnection' in globalThis)) throw this.#fail(new ParleyError('unsupported_browser', 'No WebRTC.'));
    const jitterBuffer = this.getAttribute('jitter-buffer');
    const client = new RealtimeClient({
      endpoint: this.endpoint,
      getToken: () => this.#token(),
      getSession: () => sessionOf(
        { language: this.getAttribute('lang') ?? undefined, ...this.wishes, persona: this.getAttribute('persona') ?? undefined }),
      iceServers: this.iceServers,
      jitterBufferMs: jitterBuffer === null ? undefined : Number(jitterBuffer),
      persistent: this.mode === 'kiosk',
    });
    this.#client = client;
    this.#pictureless = new AbortController();
    this.#captions = new TimedCaptions((caption) => this.#showCaption(caption));
    this.#view.clearLog();
    this.#set({ notice: null, picture: false, caption: null, unfolded: true });
    this.#follow(client);
    // The question for the microphone and the call go on side by side: the face is there while a visitor decides.
    if (microphone && hasGesture()) void this.#listen();
    else this.#set({ typing: true });
    try {
      const shown = firstFrame(this.#view.video, this.#pictureless.signal);
      quietly(shown);  // where connecting fails first, that is what is told
      await client.connect();
      if (!hasPicture(this.#view.video)) this.#pictureless.abort();
      await shown;
      if (this.#client !== client) throw new DOMException('Disconnected before the first frame.', 'AbortError');
    } catch (error) {
      client.disconnect();
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw this.#fail(asParleyError(error));
    }
    this.#set({ picture: true });
    this.#tell('ready', {});
  }

  /** @param {RealtimeClient} client */
  #follow(client) {
    const on = listenerOf(client);
    const latency = new LatencyWatch(
      this.#view.video, (turn, medianMs) => this.#tell('metrics', { kind: 'latency', turn, medianMs }));
    on('connectionstate', (detail) => this.#connectionChanged(detail));
    on('event', (event) => {
      this.#captions.receive(event);
      latency.receive(event);
      this.#loudness.receive(event);
      this.#receive(event);
    });
    on('error', (error) => this.#fail(error));
    on('stream', (stream) => {
      if (this.#view.video.srcObject !== stream) this.#view.video.srcObject = stream;
      void this.#play();
    });
    on('quality', (quality) => {
      this.#captions.jitterBufferMs = quality.audioDelayMs;
      this.#tell('metrics', { kind: 'quality', quality });
    });
  }

  /** @param {{state: import('./realtime-client.js').ConnectionState, attempt: number}} change */
  #connectionChanged({ state, attempt }) {
    if (state === 'disconnected' || state === 'reconnecting') {
      this.#responding = false;
      this.#captions.close();
      this.#loudness.reset();
      this.#enterAgent('idle');
    }
    if (state === 'disconnected') {
      const focused = this.shadowRoot?.activeElement;
      this.#client = null;
      this.#pictureless.abort();
      this.#microphone.close();
      this.#view.video.srcObject = null;
      this.#set({ connection: state, picture: false, caption: null, typing: false, soundBlocked: false });
      if (focused) this.#view.focusMain();
    } else {
      this.#set({ connection: state });
    }
    this.#tell('connectionstate', { state, attempt });
  }

  /** @param {RealtimeEvent} event */
  #receive(event) {
    switch (event.type) {
      case 'avatar.state':
        this.#enterAgent(event.state);
        break;
      case 'avatar.persona':
        this.#set({ name: String(event.display_name ?? '') });
        break;
      case 'response.created':
        this.#responding = true;
        break;
      case 'response.done':
        this.#responding = false;
        break;
      case 'output_audio_buffer.cleared':
        this.#tell('interrupted', { responseId: event.response_id });
        break;
      case 'error':
        if (!HARMLESS.has(event.error?.code)) this.#fail(errorFromEvent(event.error));
        break;
    }
    this.#tell('realtime', event);
  }

  /** @param {Caption} caption */
  #showCaption(caption) {
    this.#tell('caption', caption);
    if (caption.final && caption.text) this.#view.log(this.#t(caption.role === 'user' ? 'you' : 'avatar'), caption.text);
    if (!caption.text) return;
    clearTimeout(this.#lingerTimer);
    this.#set({ caption: { role: caption.role, text: caption.text } });
    if (caption.final) this.#lingerTimer = window.setTimeout(() => this.#set({ caption: null }), CAPTION_LINGER_MS);
  }

  async #listen() {
    this.#set({ notice: null });
    try {
      const track = await this.#microphone.open(this.#microphoneId);
      if (track) await this.#client?.setMicrophone(track);
    } catch (error) {
      this.#fail(asParleyError(error, 'microphone_failed'), this.#t('textOnly'));
      this.#set({ typing: true });
    }
  }

  async #play() {
    this.#set({ soundBlocked: !(await playAloud(this.#view.video)) });
  }

  async #token() {
    if (this.tokenProvider) return this.tokenProvider();
    const url = this.getAttribute('token-url');
    return url ? fetchToken(url) : null;
  }

  /** @param {...RealtimeEvent} events */
  #send(...events) {
    if (!this.#client) throw new ParleyError('not_connected', 'There is no conversation: connect first.');
    this.#client.send(...events);
  }

  /** Tell of an error, on the page and by an event. @param {ParleyError} error @param {string} [consolation] */
  #fail(error, consolation = '') {
    const message = errorText(this.language, error);
    this.#set({ notice: { text: `${message} ${consolation}`.trim(), error: true } });
    this.#tell('error', { code: error.code, message, retryable: error.retryable });
    return error;
  }

  /** @param {unknown} agent */
  #enterAgent(agent) {
    if (agent === this.#state.agent || !isAgentState(agent)) return;
    this.#set({ agent });
    this.#tell('agentstate', { state: agent });
  }

  #t(/** @type {import('./i18n.js').MessageKey} */ key) {
    return translator(this.language)(key);
  }

  /** @param {Partial<import('./view.js').ViewState>} change */
  #set(change) {
    Object.assign(this.#state, change, {
      captions: this.hasAttribute('captions'),
      floating: this.mode === 'floating',
      poster: this.getAttribute('poster') ?? '',
    });
    this.#view.render(this.#state, translator(this.language));
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #createView() {
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheet()];
    return new View(root, {
      start: () => quietly(this.connect()),
      startTyping: () => quietly(this.connect({ microphone: false }).then(() => this.#view.focusInput())),
      end: () => this.disconnect(),
      microphone: () => (this.#microphone.state === 'live' ? this.mute() : this.unmute()),
      captions: () => this.toggleAttribute('captions'),
      typing: () => {
        this.#set({ typing: !this.#state.typing });
        if (this.#state.typing) this.#view.focusInput();
      },
      interrupt: () => this.interrupt(),
      sound: () => void this.#play(),
      dismiss: () => this.#set({ notice: null }),
      fold: () => {
        if (this.#state.unfolded) this.disconnect();
        this.#set({ unfolded: !this.#state.unfolded });
        this.#view.focusMain();
      },
      send: (text) => this.chat(text),
    });
  }
}

/** Errors of what a button began are told by the `error` event. @param {Promise<unknown>} work */
function quietly(work) {
  work.catch(() => {});
}

customElements.define('digital-human', DigitalHuman);
