/** What the page asks of the server besides calls: who is there, and, where a key is set, tokens. */

import { errorFromResponse } from '../errors.js';

/** @typedef {{name: string, display_name: string, locales: string[], thumbnail: string, default: boolean}} Avatar */
/** @typedef {{data: Avatar[], voices: string[]}} Catalog */

export class Server {
  /** Typed by the operator in front of this very page; kept in memory only. Other sites use `token-url`. */
  key = '';
  /** A client secret given with the page's address; it opens one conversation. */
  secret = '';

  /** @returns {Promise<Catalog>} @throws {import('../errors.js').ParleyError} */
  async catalog() {
    const response = await fetch('v1/avatars', { headers: this.#headers() });
    if (!response.ok) throw await errorFromResponse(response);
    return response.json();
  }

  /** @returns {Promise<string | null>} a token, or null where none is needed */
  async token() {
    if (!this.key) return this.secret || null;
    const response = await fetch('v1/realtime/client_secrets', { method: 'POST', headers: this.#headers() });
    if (!response.ok) throw await errorFromResponse(response);
    return (await response.json()).value;
  }

  #headers() {
    const bearer = this.key || this.secret;
    return bearer ? { Authorization: `Bearer ${bearer}` } : undefined;
  }
}
