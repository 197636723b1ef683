/** The element's shadow tree: built once, then brought into line with the state. No conversation logic in here. */

import { captionPage } from './captions.js';
import { h } from './dom.js';
import { icon } from './icons.js';

/** @typedef {ReturnType<typeof import('./i18n.js').translator>} Translate */
/**
 * @typedef {object} ViewState
 * @property {import('./realtime-client.js').ConnectionState} connection
 * @property {import('./protocol.js').AgentState} agent
 * @property {import('./microphone.js').MicrophoneState} microphone
 * @property {boolean} picture a frame has been shown
 * @property {boolean} captions
 * @property {{role: 'user' | 'assistant', text: string} | null} caption what is being said
 * @property {boolean} typing
 * @property {boolean} soundBlocked the browser wants a gesture before it plays sound
 * @property {boolean} unfolded of a floating widget
 * @property {boolean} floating
 * @property {string} poster
 * @property {string} name
 * @property {{text: string, error: boolean} | null} notice
 */
/**
 * @typedef {object} ViewActions
 * @property {() => void} start
 * @property {() => void} startTyping
 * @property {() => void} end
 * @property {() => void} microphone
 * @property {() => void} captions
 * @property {() => void} typing
 * @property {() => void} interrupt
 * @property {() => void} sound
 * @property {() => void} dismiss
 * @property {() => void} fold
 * @property {(text: string) => void} send
 */

/** Lines of the transcript kept for screen readers. */
const LOG_LINES = 100;

export class View {
  video = h('video', { part: 'video', playsinline: true, autoplay: true, disablepictureinpicture: true });
  #actions;
  #poster = h('img', { part: 'poster', draggable: 'false' });
  #mark = h('span', { part: 'mark', class: 'chip mark' });
  #statusText = h('span');
  #status = h('span', { part: 'status', class: 'chip' }, h('span', { class: 'dot' }), this.#statusText);
  #fold = this.#button('fold', 'end', () => this.#actions.fold());
  #captionText = h('span');
  #captionLine = h('p', { part: 'captions' }, this.#captionText);
  #captions = h('div', { class: 'captions', 'aria-hidden': 'true' }, this.#captionLine);
  #sound = h('button', { class: 'sound', type: 'button', onclick: () => this.#actions.sound() }, icon('sound'));
  #startText = h('slot', { name: 'start' });
  #start = h('button', { part: 'start', class: 'start', type: 'button', onclick: () => this.#actions.start() },
    icon('microphone'), this.#startText);
  #link = h('button', { class: 'link', type: 'button', onclick: () => this.#second() });
  #cover = h('div', { class: 'cover' }, this.#start, this.#link);
  #noticeText = h('p');
  #dismiss = h('button', { type: 'button', onclick: () => this.#actions.dismiss() }, icon('end'));
  #notice = h('div', { part: 'notice', class: 'notice', role: 'alert' }, this.#noticeText, this.#dismiss);
  #captionsButton = this.#button('button', 'captions', () => this.#actions.captions());
  #typingButton = this.#button('button', 'keyboard', () => this.#actions.typing());
  #microphone = this.#button('button microphone', 'microphone', () => this.#actions.microphone());
  #stop = this.#button('button', 'stop', () => this.#actions.interrupt());
  #end = this.#button('button end', 'end', () => this.#actions.end());
  #dock = h('div', { part: 'dock', class: 'dock', role: 'toolbar' },
    this.#captionsButton, this.#typingButton, this.#microphone, this.#stop, this.#end, h('slot', { name: 'dock' }));
  #input = h('input', { part: 'input', type: 'text', autocomplete: 'off', enterkeyhint: 'send', maxlength: '4000' });
  #send = h('button', { part: 'send', type: 'submit' }, icon('send'));
  #composer = h('form', { part: 'composer', class: 'composer', onsubmit: (event) => this.#submit(event) },
    this.#input, this.#send);
  #announce = h('div', { class: 'sr', role: 'status' });
  #log = h('div', { class: 'sr', role: 'log', 'aria-live': 'polite' });
  #frame = h('div', { class: 'frame' },
    h('div', { part: 'stage', class: 'stage' },
      h('slot', { name: 'poster' }, this.#poster), this.video,
      h('div', { class: 'bar' }, this.#mark, this.#status, this.#fold),
      this.#captions, this.#sound, this.#cover),
    h('div', { class: 'ring', part: 'ring' }));
  #panel = h('section', { part: 'panel', class: 'panel' },
    this.#frame, this.#notice, this.#dock, this.#composer, this.#announce, this.#log);
  #launcherImage = h('img', { alt: '' });
  #launcherText = h('span');
  #launcher = h('button', { part: 'launcher', class: 'launcher', type: 'button', onclick: () => this.#actions.fold() },
    this.#launcherImage, this.#launcherText);
  #connected = false;

  /** @param {ShadowRoot} root @param {ViewActions} actions */
  constructor(root, actions) {
    this.#actions = actions;
    root.append(this.#panel, this.#launcher);
  }

  /** @param {ViewState} state @param {Translate} t */
  render(state, t) {
    const { connection, agent, picture } = state;
    const away = connection === 'disconnected';
    this.#connected = connection === 'connected';
    const live = picture && !away;
    const waiting = connection === 'connecting' || connection === 'reconnecting' || (this.#connected && !picture);
    const mood = waiting ? 'connecting' : this.#connected ? agent : '';
    this.#frame.className = `frame ${live ? 'live' : ''} ${mood}`;

    this.#panel.setAttribute('aria-label', t('conversation'));
    text(this.#mark, t('aiMark'));
    this.#mark.title = t('aiNotice');
    this.#mark.setAttribute('aria-label', t('aiNotice'));
    const muted = agent === 'listening' && state.microphone === 'muted';
    const status = connection === 'reconnecting' ? t('reconnecting') : waiting ? t('connecting') : muted ? t('micMuted') : t(agent);
    text(this.#statusText, status);
    this.#status.hidden = away;
    text(this.#announce, connection === 'connected' && !waiting ? t('aiNotice') : away ? '' : status);

    image(this.#poster, state.poster);
    this.#poster.alt = state.name ? t('portraitOf', { name: state.name }) : '';
    text(this.#captionText, captionPage(state.caption?.text ?? ''));
    this.#captionLine.classList.toggle('mine', state.caption?.role === 'user');
    this.#captions.hidden = !state.captions || !state.caption || away;
    this.#sound.hidden = !state.soundBlocked || away;
    label(this.#sound, t('soundOn'));

    this.#cover.hidden = !away && !(waiting && !picture);
    this.#start.hidden = !away;
    text(this.#startText, t(state.notice?.error ? 'tryAgain' : 'start'));
    text(this.#link, away ? t('startTyping') : t('cancel'));

    this.#notice.hidden = !state.notice;
    this.#notice.classList.toggle('error', state.notice?.error ?? false);
    text(this.#noticeText, state.notice?.text ?? '');
    name(this.#dismiss, t('dismiss'));

    this.#dock.hidden = away || !picture;
    this.#dock.setAttribute('aria-label', t('conversation'));
    pressed(this.#captionsButton, t('captions'), state.captions);
    pressed(this.#typingButton, t('typing'), state.typing);
    const hears = state.microphone === 'live';
    name(this.#microphone, t(hears ? 'mute' : state.microphone === 'muted' ? 'unmute' : 'micOn'));
    this.#microphone.classList.toggle('off', !hears);
    this.#microphone.replaceChildren(icon(hears ? 'microphone' : 'microphoneOff'));
    name(this.#stop, t('stopSpeaking'));
    this.#stop.disabled = agent !== 'speaking';
    name(this.#end, t('end'));

    this.#composer.hidden = away || !picture || !state.typing;
    this.#input.placeholder = t('placeholder');
    this.#input.setAttribute('aria-label', t('typing'));
    name(this.#send, t('send'));
    this.#send.disabled = !this.#connected;

    this.#panel.hidden = state.floating && !state.unfolded;
    this.#launcher.hidden = state.floating && state.unfolded;
    image(this.#launcherImage, state.poster);
    text(this.#launcherText, t('open'));
    name(this.#fold, t('close'));
  }

  /** A finished line for screen readers. @param {string} who @param {string} line */
  log(who, line) {
    this.#log.append(h('p', {}, `${who}: ${line}`));
    while (this.#log.childElementCount > LOG_LINES) this.#log.firstElementChild?.remove();
  }

  clearLog() {
    this.#log.replaceChildren();
  }

  focusInput() {
    this.#input.focus();
  }

  /** Where the keyboard goes on when a control under it has disappeared. */
  focusMain() {
    for (const button of [this.#microphone, this.#start, this.#launcher]) {
      if (button.checkVisibility()) {
        button.focus();
        return;
      }
    }
  }

  /** The ring follows the visitor's voice. @param {number} level 0 to 1 */
  level(level) {
    this.#frame.style.setProperty('--level', level.toFixed(2));
  }

  #second() {
    if (this.#start.hidden) this.#actions.end();
    else this.#actions.startTyping();
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const message = this.#input.value.trim();
    if (!message || !this.#connected) return;
    this.#input.value = '';
    this.#actions.send(message);
  }

  /** @param {string} classes @param {Parameters<typeof icon>[0]} picture @param {() => void} run */
  #button(classes, picture, run) {
    return h('button', { part: 'button', class: classes, type: 'button', onclick: run }, icon(picture));
  }
}

/** Only what changes is written: a screen reader hears nothing twice. @param {HTMLElement} element @param {string} value */
function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** @param {HTMLElement} element @param {string} value */
function name(element, value) {
  element.setAttribute('aria-label', value);
  element.title = value;
}

/** @param {HTMLElement} element @param {string} value @param {boolean} on */
function pressed(element, value, on) {
  name(element, value);
  element.setAttribute('aria-pressed', String(on));
}

/** Text beside an icon. @param {HTMLElement} element @param {string} value */
function label(element, value) {
  if (element.lastChild?.nodeType === Node.TEXT_NODE) element.lastChild.textContent = value;
  else element.append(value);
}

/** @param {HTMLImageElement} element @param {string} url */
function image(element, url) {
  if (!url) element.removeAttribute('src');
  else if (element.getAttribute('src') !== url) element.src = url;
  element.hidden = !url;
}
