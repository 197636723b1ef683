/** What the conversation costs in time, and how good the connection is. */

import { h } from '../dom.js';

/** @typedef {ReturnType<typeof import('./strings.js').strings>} Strings */
/** @typedef {import('./strings.js').StringKey} StringKey */

/** @param {string} id @returns {HTMLElement} */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * The last answer's time as one bar, and its stages in words.
 * @param {import('../latency.js').Turn} turn
 * @param {number | null} medianMs
 * @param {number} count of answers
 * @param {Strings} t
 */
export function showLatency({ stages, totalMs }, medianMs, count, t) {
  const seconds = (/** @type {number} */ ms) => (ms / 1000).toFixed(2);
  const bar = byId('latency-bar');
  const lines = stages.map(({ name, ms }) => {
    const key = /** @type {StringKey} */ (`stage.${name}`);
    const line = h('li', { 'data-stage': name }, t(key), h('b', {}, t('milliseconds', { value: Math.round(ms) })));
    return line;
  });
  bar.replaceChildren(...stages.map(({ name, ms }) => {
    const part = h('i', { 'data-stage': name });
    part.style.flexGrow = String(ms);
    return part;
  }));
  bar.setAttribute('aria-label', lines.map((line) => line.textContent).join(', '));
  if (medianMs !== null && count > 1) {
    lines.push(h('li', { class: 'median' }, t('median', { count, value: seconds(medianMs) })));
  }
  byId('latency-stages').replaceChildren(...lines);
  byId('latency-total').textContent = t('seconds', { value: seconds(totalMs) });
  byId('latency').hidden = false;
}

/** @param {import('../stats.js').Quality} quality @param {Strings} t */
export function showQuality(quality, t) {
  const button = byId('quality');
  button.hidden = false;
  button.dataset.rating = quality.rating;
  button.setAttribute('aria-label', t(quality.rating));
  byId('quality-text').textContent = t(quality.rating);
  const percent = (/** @type {number} */ ratio) => `${(ratio * 100).toFixed(1)} %`;
  const ms = (/** @type {number | null} */ value) => (value === null ? '–' : t('milliseconds', { value: Math.round(value) }));
  /** @type {[StringKey, string][]} */
  const facts = [
    ['rtt', ms(quality.rttMs)],
    ['fps', quality.framesPerSecond?.toFixed(0) ?? '–'],
    ['size', quality.size || '–'],
    ['kbps', `${quality.kbps.toFixed(0)} kbit/s`],
    ['loss', percent(quality.lossRatio)],
    ['concealed', percent(quality.concealedRatio)],
    ['audioDelay', ms(quality.audioDelayMs)],
    ['videoDelay', ms(quality.videoDelayMs)],
  ];
  byId('quality-list').replaceChildren(...facts.flatMap(([key, value]) => [h('dt', {}, t(key)), h('dd', {}, value)]));
}
