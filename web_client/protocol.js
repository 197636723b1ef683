/** Events of the Realtime protocol, and of its `avatar.*` extension, as this client sends and reads them. */

/** @typedef {{type: string, event_id?: string, [field: string]: any}} RealtimeEvent */

/** @typedef {'idle' | 'listening' | 'thinking' | 'speaking'} AgentState */
/**
 * What a page may ask of a session; everything is optional.
 * @typedef {object} SessionWishes
 * @property {string} [persona] name of the face
 * @property {string} [language] BCP 47 tag of the conversation
 * @property {string} [voice]
 * @property {number} [speed] 0.25 to 1.5
 * @property {'low' | 'medium' | 'high' | 'auto'} [eagerness] how soon a pause counts as the end of a turn
 * @property {string} [instructions] system prompt
 */

/**
 * Random id. `crypto.randomUUID` does not exist on insecure pages, where typed conversation still works.
 * @param {string} prefix
 */
export function newId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return `${prefix}_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * @param {unknown} data of a data channel message
 * @returns {RealtimeEvent | null} null for what is not an event
 */
export function parseEvent(data) {
  if (typeof data !== 'string') return null;
  try {
    const event = JSON.parse(data);
    return event !== null && typeof event === 'object' && typeof event.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/**
 * The session object of a call or of `session.update`: only what was wished for, so that the server's defaults stand.
 * @param {SessionWishes} wishes
 */
export function sessionOf(wishes) {
  const { persona, language, voice, speed, eagerness, instructions } = wishes;
  /** @type {Record<string, any>} */
  const session = { type: 'realtime' };
  if (instructions) session.instructions = instructions;
  /** @type {Record<string, any>} */
  const input = {};
  if (language) input.transcription = { language };
  if (eagerness) input.turn_detection = { type: 'semantic_vad', eagerness };
  /** @type {Record<string, any>} */
  const output = {};
  if (voice) output.voice = voice;
  if (speed) output.speed = speed;
  /** @type {Record<string, any>} */
  const audio = {};
  if (Object.keys(input).length > 0) audio.input = input;
  if (Object.keys(output).length > 0) audio.output = output;
  if (Object.keys(audio).length > 0) session.audio = audio;
  /** @type {Record<string, any>} */
  const avatar = {};
  if (persona) avatar.persona = persona;
  if (language) avatar.language = language;
  if (Object.keys(avatar).length > 0) session.avatar = avatar;
  return session;
}

/** @param {SessionWishes} wishes @returns {RealtimeEvent} */
export const sessionUpdate = (wishes) => ({ type: 'session.update', session: sessionOf(wishes) });

/**
 * A typed message and the wish for an answer.
 * @param {string} text
 * @param {string} itemId so that the page can show the message before the server confirms it
 * @returns {RealtimeEvent[]}
 */
export const chatMessage = (text, itemId) => [
  {
    type: 'conversation.item.create',
    item: { id: itemId, type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
  },
  { type: 'response.create' },
];

/** @param {string} text spoken word for word @returns {RealtimeEvent} */
export const say = (text) => ({ type: 'avatar.say', text });

/** @param {string} gesture @param {number} strength 0 to 1 @returns {RealtimeEvent} */
export const gestureCommand = (gesture, strength) => ({ type: 'avatar.gesture', gesture, strength });

/** @param {number} mood -1 to 1 @param {number} gestures 0 to 1 @returns {RealtimeEvent} */
export const mannerCommand = (mood, gestures) => ({ type: 'avatar.manner', mood, gestures });

/** A later server may know more states than this page. @param {unknown} value @returns {value is AgentState} */
export const isAgentState = (value) =>
  value === 'idle' || value === 'listening' || value === 'thinking' || value === 'speaking';
