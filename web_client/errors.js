/**
 * What can go wrong, with codes that are stable and shared with the server.
 *
 * Codes that begin here (the server's own come through unchanged):
 *   insecure_page, unsupported_browser           this page or browser cannot do it at all
 *   microphone_denied, microphone_absent,        the conversation goes on by text
 *   microphone_busy, microphone_failed
 *   token_failed, invalid_api_key, forbidden     the call was not let in
 *   busy, rate_limit_exceeded, server_error      the server said no for now
 *   network, timeout, media_blocked,             the way there is broken
 *   connection_lost, no_picture
 *   not_connected, invalid_answer
 */

/** Trying the same again later may help. */
const RETRYABLE = new Set([
  'busy', 'rate_limit_exceeded', 'server_error', 'network', 'timeout', 'connection_lost', 'no_picture',
  'microphone_busy', 'token_failed',
]);

/** An error fit to be shown: `message` says what happened and what to do. */
export class ParleyError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{retryable?: boolean, retryAfterMs?: number, cause?: unknown}} [options]
   */
  constructor(code, message, { retryable, retryAfterMs = 0, cause } = {}) {
    super(message, { cause });
    this.name = 'ParleyError';
    this.code = code;
    this.retryable = retryable ?? RETRYABLE.has(code);
    /** The server asked to wait at least this long. */
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Anything thrown, as a ParleyError.
 * @param {unknown} error
 * @param {string} [code] used where the error has none of its own
 * @returns {ParleyError}
 */
export function asParleyError(error, code = 'network') {
  if (error instanceof ParleyError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ParleyError(code, message, { cause: error });
}

/** @type {Record<number, string>} */
const CODE_OF_STATUS = { 401: 'invalid_api_key', 403: 'forbidden', 429: 'rate_limit_exceeded', 503: 'busy' };

/**
 * The error that an HTTP answer carries: `{"error": {"code", "message"}}` as the Realtime API writes it.
 * @param {Response} response not ok
 * @returns {Promise<ParleyError>}
 */
export async function errorFromResponse(response) {
  /** @type {{code?: unknown, type?: unknown, message?: unknown}} */
  let body = {};
  try {
    body = (await response.json()).error ?? {};
  } catch {
    // not JSON: a proxy's page; the status says enough
  }
  const fallback = CODE_OF_STATUS[response.status] ?? (response.status >= 500 ? 'server_error' : 'bad_request');
  const code = typeof body.code === 'string' && body.code ? body.code : fallback;
  const message = typeof body.message === 'string' && body.message
    ? body.message
    : `The server answered ${response.status} ${response.statusText}`.trim();
  const seconds = Number(response.headers.get('Retry-After'));
  return new ParleyError(code, message, {
    retryable: RETRYABLE.has(fallback),
    retryAfterMs: Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : 0,
  });
}

/**
 * What an `error` event of the conversation tells.
 * @param {any} error
 * @returns {ParleyError}
 */
export function errorFromEvent(error) {
  return new ParleyError(String(error?.code), String(error?.message ?? ''), { retryable: error?.retryable === true });
}
