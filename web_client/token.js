/** Where a call's permission comes from: the embedding site's own server, never a key in the page. */

import { ParleyError, errorFromResponse } from './errors.js';

/**
 * @param {string} url that answers POST with what `POST /v1/realtime/client_secrets` answered: `{"value": "ek_..."}`
 * @returns {Promise<string>}
 * @throws {ParleyError}
 */
export async function fetchToken(url) {
  let response;
  try {
    response = await fetch(url, { method: 'POST' });
  } catch (cause) {
    throw new ParleyError('network', `${url} cannot be reached.`, { cause });
  }
  if (!response.ok) throw await errorFromResponse(response);
  const body = await response.json().catch(() => null);
  if (typeof body?.value !== 'string') {
    throw new ParleyError('token_failed', `${url} did not answer with {"value": "ek_..."}.`);
  }
  return body.value;
}
