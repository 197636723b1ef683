/**
 * The element alone, for an iframe or a kiosk's browser: `embed.html?persona=mei&lang=zh&captions#ek_...`.
 *
 * The query sets attributes, but not where the conversation goes or who pays for it: a link must not be able to send
 * a visitor's voice elsewhere. A token comes in the fragment, which browsers do not send to servers or put in logs.
 */

import '../digital-human.js';
import { Server } from './server.js';

const SETTABLE = ['persona', 'lang', 'captions', 'muted', 'mode', 'autostart', 'jitter-buffer'];

const human = /** @type {import('../digital-human.js').DigitalHuman} */ (document.querySelector('digital-human'));
const server = new Server();
server.secret = location.hash.startsWith('#ek_') ? location.hash.slice(1) : '';
human.tokenProvider = () => server.token();
for (const [name, value] of new URLSearchParams(location.search)) {
  if (SETTABLE.includes(name)) human.setAttribute(name, value);
}
try {
  const { data } = await server.catalog();
  const shown = data.find(({ name }) => name === human.getAttribute('persona')) ?? data[0];
  if (shown) human.setAttribute('poster', shown.thumbnail);
} catch {
  // no poster; the conversation itself will say what is wrong
}
