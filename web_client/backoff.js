/** When to try again after a connection was lost. Sans-I/O: the caller waits. */

/** LiveKit's client schedule: at once for a blip, then slower, ten tries in about a minute. */
const DELAYS_MS = [0, 300, 1200, 2700, 4800, 7000, 7000, 7000, 7000, 7000];

/** Spread of the later tries, so that a restarted server is not met by every page at once. */
const JITTER_MS = 1000;

/**
 * @param {number} attempt from 0
 * @param {{persistent?: boolean, random?: () => number, atLeastMs?: number}} [options]
 *   `persistent` never gives up (an unattended kiosk); `atLeastMs` is what the server asked for.
 * @returns {number | null} milliseconds to wait before this attempt, null to give up
 */
export function retryDelayMs(attempt, { persistent = false, random = Math.random, atLeastMs = 0 } = {}) {
  if (attempt >= DELAYS_MS.length && !persistent) return null;
  const base = DELAYS_MS[Math.min(attempt, DELAYS_MS.length - 1)];
  const jitter = attempt > 1 ? random() * JITTER_MS : 0;
  return Math.max(base + jitter, atLeastMs);
}
