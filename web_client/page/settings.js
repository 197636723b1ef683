/** The settings dialog, kept in this browser. */

import { h } from '../dom.js';

/**
 * @typedef {object} Settings
 * @property {string} persona
 * @property {string} language empty: the browser's for labels, whatever is spoken for the conversation
 * @property {string} voice
 * @property {number} speed
 * @property {'low' | 'auto' | 'high'} eagerness
 * @property {string} microphone device id
 * @property {boolean} captions
 * @property {string} theme a value of CSS color-scheme
 */

const STORAGE_KEY = 'parley.settings';

/** @type {Settings} */
const DEFAULTS = {
  persona: '', language: '', voice: '', speed: 1, eagerness: 'auto', microphone: '', captions: true, theme: 'light dark',
};

/** @returns {Settings} */
export function loadSettings() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}');
    const known = Object.entries(kept).filter(([name, value]) =>
      name in DEFAULTS && typeof value === typeof DEFAULTS[/** @type {keyof Settings} */ (name)]);
    return { ...DEFAULTS, ...Object.fromEntries(known) };
  } catch {
    return { ...DEFAULTS };  // storage is blocked or was edited
  }
}

/** @param {Settings} settings */
export function saveSettings(settings) {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(settings));
  } catch {
    // storage is blocked: the choice holds until the page is left
  }
}

/**
 * Connects the dialog's form with the settings.
 * @param {HTMLDialogElement} dialog
 * @param {Settings} settings changed in place
 * @param {(name: keyof Settings) => void} changed
 */
export function bindSettings(dialog, settings, changed) {
  const form = /** @type {HTMLFormElement} */ (dialog.querySelector('form'));
  const speed = /** @type {HTMLOutputElement} */ (form.querySelector('#speed-value'));
  const showSpeed = () => { speed.textContent = `${settings.speed.toFixed(1)}×`; };
  for (const field of fields(form)) fill(field, settings);
  showSpeed();
  form.addEventListener('input', ({ target }) => {
    const field = /** @type {HTMLInputElement | HTMLSelectElement} */ (target);
    const name = /** @type {keyof Settings} */ (field.name);
    const checkbox = field instanceof HTMLInputElement && field.type === 'checkbox';
    const value = checkbox ? field.checked : name === 'speed' ? Number(field.value) : field.value;
    Object.assign(settings, { [name]: value });
    showSpeed();
    saveSettings(settings);
    changed(name);
  });
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close();  // the backdrop
  });
}

/** @param {HTMLDialogElement} dialog @param {string[]} voices @param {string} chosen */
export function offerVoices(dialog, voices, chosen) {
  const row = /** @type {HTMLElement} */ (dialog.querySelector('#voice-row'));
  const others = voices.filter((voice) => voice !== 'auto');
  row.hidden = others.length === 0;
  offer(dialog, 'voice', others.map((voice) => [voice, voice]), chosen);
}

/** Names of microphones are known only after one was allowed. @param {HTMLDialogElement} dialog @param {string} chosen */
export async function offerMicrophones(dialog, chosen) {
  const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const microphones = devices.filter(({ kind, deviceId, label }) =>
    kind === 'audioinput' && label && deviceId !== 'default' && deviceId !== 'communications');
  offer(dialog, 'microphone', microphones.map(({ deviceId, label }) => [deviceId, label]), chosen);
}

/** @param {HTMLDialogElement} dialog @param {string} name @param {string[][]} options value and text @param {string} chosen */
function offer(dialog, name, options, chosen) {
  const select = /** @type {HTMLSelectElement} */ (dialog.querySelector(`select[name="${name}"]`));
  select.replaceChildren(select.options[0], ...options.map(([value, text]) => h('option', { value }, text)));
  select.value = chosen;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

/** @param {HTMLFormElement} form */
function fields(form) {
  return [...form.elements].filter((element) =>
    (element instanceof HTMLInputElement || element instanceof HTMLSelectElement) && element.name !== '');
}

/** @param {Element} field @param {Settings} settings */
function fill(field, settings) {
  if (field instanceof HTMLSelectElement) {
    field.value = String(settings[/** @type {keyof Settings} */ (field.name)]);
  } else if (field instanceof HTMLInputElement) {
    const value = settings[/** @type {keyof Settings} */ (field.name)];
    if (field.type === 'checkbox') field.checked = value === true;
    else if (field.type === 'radio') field.checked = field.value === value;
    else field.value = String(value);
  }
}
