/** The demo page: the element, and around it who to talk with, what was said, how fast, and the settings. */

import '../digital-human.js';
import { h, listenerOf } from '../dom.js';
import { asParleyError } from '../errors.js';
import { icon } from '../icons.js';
import { askForKey } from './key-dialog.js';
import { showLatency, showQuality } from './measures.js';
import { showPersonas } from './personas.js';
import { Server } from './server.js';
import { bindSettings, loadSettings, offerMicrophones, offerVoices, saveSettings } from './settings.js';
import { strings } from './strings.js';
import { Transcript } from './transcript.js';

/** @typedef {import('../digital-human.js').DigitalHuman} DigitalHuman */
/** @typedef {import('./server.js').Avatar} Avatar */

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

const human = /** @type {DigitalHuman} */ (byId('human'));
const dialog = /** @type {HTMLDialogElement} */ (byId('settings'));
const settings = loadSettings();
const server = new Server();
const transcript = new Transcript(byId('transcript'), () => t('interrupted'));
let t = strings(navigator.language);
let name = '';
let answers = 0;

/** Labels in the chosen language; the element follows the document. */
function speakLanguage() {
  const language = settings.language || (/^zh\b/i.test(navigator.language) ? 'zh' : 'en');
  t = strings(language);
  document.documentElement.lang = language;
  human.toggleAttribute('lang', false);
  if (settings.language) human.setAttribute('lang', settings.language);
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = t(/** @type {import('./strings.js').StringKey} */ (/** @type {HTMLElement} */ (element).dataset.text));
  }
  byId('headline').textContent = name ? t('headline', { name }) : t('headlineNobody');
  byId('settings-button').ariaLabel = t('settings');
  byId('settings-close').ariaLabel = t('close');
  byId('transcript').ariaLabel = t('conversation');
  const buttons = t('suggestions').split('|').map((question) =>
    h('button', { type: 'button', lang: /[一-鿿]/.test(question) ? 'zh' : 'en', onclick: () => void ask(question) }, question));
  byId('suggestions').replaceChildren(byId('suggestions').firstElementChild, ...buttons);
}

/** @param {string} question */
async function ask(question) {
  try {
    await human.connect();
    human.chat(question);
  } catch {
    // the element tells what went wrong
  }
}

/** Somebody else was chosen. @param {Avatar} avatar */
function meet(avatar) {
  settings.persona = avatar.name;
  saveSettings(settings);
  human.disconnect();
  present(avatar);
}

/** @param {Avatar} avatar */
function present(avatar) {
  name = avatar.display_name;
  human.setAttribute('persona', avatar.name);
  human.setAttribute('poster', avatar.thumbnail);
  const ambient = /** @type {HTMLImageElement} */ (byId('ambient'));
  ambient.src = avatar.thumbnail;
  ambient.hidden = false;
  speakLanguage();
}

async function findPeople() {
  for (let problem = ''; ;) {
    try {
      const { data, voices } = await server.catalog();
      const chosen = data.find((avatar) => avatar.name === settings.persona) ?? data[0];
      if (chosen) present(chosen);  // a visitor who was quicker than the catalogue is in a call already
      showPersonas(byId('personas'), data, chosen?.name ?? '', meet);
      offerVoices(dialog, voices ?? [], settings.voice);
      return;
    } catch (error) {
      const { code, message } = asParleyError(error);
      if (code !== 'invalid_api_key') return;  // the conversation itself will say what is wrong
      problem = server.key ? message : '';
      server.key = await askForKey(t, problem);
      if (!server.key) return;
    }
  }
}

/** @param {keyof import('./settings.js').Settings} changed */
function applySetting(changed) {
  switch (changed) {
    case 'theme': document.documentElement.style.colorScheme = settings.theme; break;
    case 'captions': human.toggleAttribute('captions', settings.captions); break;
    case 'language': speakLanguage(); human.configure({ language: settings.language || undefined }); break;
    case 'microphone': void human.useMicrophone(settings.microphone); break;
    case 'voice': human.configure({ voice: settings.voice || 'auto' }); break;
    case 'speed': human.configure({ speed: settings.speed }); break;
    case 'eagerness': human.configure({ eagerness: settings.eagerness }); break;
  }
}

human.tokenProvider = () => server.token();
if (settings.persona) human.setAttribute('persona', settings.persona);
human.wishes = {
  voice: settings.voice || undefined,
  speed: settings.speed === 1 ? undefined : settings.speed,
  eagerness: settings.eagerness === 'auto' ? undefined : settings.eagerness,
};
for (const each of /** @type {const} */ (['theme', 'captions', 'microphone'])) applySetting(each);

const on = listenerOf(human);
on('connectionstate', ({ state }) => {
  document.body.classList.toggle('talking', state !== 'disconnected');
  if (state === 'connecting') {
    answers = 0;
    transcript.clear();
    byId('latency').hidden = true;
    byId('transcript').hidden = false;
    byId('suggestions').hidden = false;
  }
  if (state === 'disconnected') {
    byId('quality').hidden = true;
    byId('quality-details').hidePopover();
  }
});
on('caption', (caption) => {
  byId('suggestions').hidden = true;
  transcript.show(caption);
});
on('metrics', (metrics) => {
  if (metrics.kind === 'quality') {
    showQuality(metrics.quality, t);
  } else {
    if (metrics.turn.stages.at(-1)?.name !== 'display') answers += 1;
    showLatency(metrics.turn, metrics.medianMs, answers, t);
  }
});
on('microphonestate', ({ state }) => {
  if (state === 'live') void offerMicrophones(dialog, settings.microphone);
});
new MutationObserver(() => {
  settings.captions = human.hasAttribute('captions');
  /** @type {HTMLInputElement} */ (dialog.querySelector('[name=captions]')).checked = settings.captions;
  saveSettings(settings);
}).observe(human, { attributeFilter: ['captions'] });

byId('settings-button').append(icon('settings'));
byId('settings-close').append(icon('end'));
byId('settings-button').addEventListener('click', () => {
  void offerMicrophones(dialog, settings.microphone);
  dialog.showModal();
});
bindSettings(dialog, settings, applySetting);
speakLanguage();
void findPeople();
