/** Elements without markup, whatever a server sends can only ever become text; and events by their detail. */

/** @typedef {Node | string | null} Child */

/**
 * Listens to custom events by their detail.
 * @param {EventTarget} target
 * @returns {(type: string, listener: (detail: any) => void) => void}
 */
export const listenerOf = (target) => (type, listener) =>
  target.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean | EventListener | undefined>} [attributes] functions become listeners of the
 *   event that their name tells ("onclick"), true an empty attribute; false and undefined none
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (typeof value === 'string') element.setAttribute(name, value);
    else if (value) element.setAttribute(name, '');
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}
