/** Choosing who to talk with. */

import { h } from '../dom.js';

/** @typedef {import('./server.js').Avatar} Avatar */

/**
 * @param {HTMLElement} list
 * @param {Avatar[]} avatars
 * @param {string} chosen name
 * @param {(avatar: Avatar) => void} choose
 */
export function showPersonas(list, avatars, chosen, choose) {
  for (const avatar of avatars) {
    const input = h('input', {
      type: 'radio', name: 'persona', value: avatar.name, checked: avatar.name === chosen, onchange: () => choose(avatar),
    });
    const picture = h('img', { src: avatar.thumbnail, alt: '', width: '56', height: '56', decoding: 'async' });
    list.append(h('label', { class: 'persona' }, input, picture, h('span', {}, avatar.display_name)));
  }
  list.hidden = avatars.length < 2;
}
