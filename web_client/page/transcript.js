/** The conversation in writing, both sides. */

import { h } from '../dom.js';

/** Nearer to its end than this, the list follows what is said; further up, somebody is reading. */
const FOLLOW_PX = 80;

export class Transcript {
  /** @type {Map<string, HTMLLIElement>} */
  #lines = new Map();
  #list;
  #interrupted;

  /** @param {HTMLElement} list @param {() => string} interrupted the word for it */
  constructor(list, interrupted) {
    this.#list = list;
    this.#interrupted = interrupted;
  }

  clear() {
    this.#lines.clear();
    this.#list.replaceChildren();
  }

  /** @param {import('../captions.js').Caption} caption */
  show({ id, role, text, final, interrupted }) {
    let line = this.#lines.get(id);
    if (final && !text) {
      line?.remove();
      this.#lines.delete(id);
      return;
    }
    const list = this.#list;
    const follow = list.scrollHeight - list.scrollTop - list.clientHeight < FOLLOW_PX;
    if (!line) {
      line = h('li', { class: role });
      this.#lines.set(id, line);
      list.append(line);
    }
    line.classList.toggle('open', !final);
    line.textContent = text;
    if (interrupted) line.append(h('small', {}, this.#interrupted()));
    if (follow) list.scrollTop = list.scrollHeight;
  }
}
