/** Asks the operator for the server's key, where one is set. */

import { h } from '../dom.js';

/**
 * @param {ReturnType<typeof import('./strings.js').strings>} t
 * @param {string} problem with the key that was given before, or ""
 * @returns {Promise<string>} the key; empty where the dialog was closed
 */
export function askForKey(t, problem) {
  const input = h('input', { type: 'password', autocomplete: 'off', 'aria-label': t('keyLabel'), required: true });
  const dialog = h('dialog', { class: 'settings key', 'aria-label': t('keyTitle') },
    h('form', { method: 'dialog' },
      h('h2', {}, t('keyTitle')), h('p', {}, problem || t('keyHint')),
      h('div', { class: 'key-row' }, input, h('button', { class: 'pill' }, t('keyEnter')))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(input.value.trim());
    });
    dialog.addEventListener('cancel', () => { input.value = ''; });
  });
}
