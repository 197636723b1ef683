/** Sound and picture on the page: one video element plays both, so that the browser keeps them together. */

import { ParleyError } from './errors.js';

/** Rendering starts in a worker process, which a busy machine takes seconds to provide. */
const FIRST_FRAME_MS = 15_000;

/**
 * Resolves when a frame is on the screen. A hidden page shows none, so there decoded data is enough.
 * @param {HTMLVideoElement} video
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 * @throws {ParleyError} no_picture
 */
export function firstFrame(video, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => settle(() => reject(new ParleyError('no_picture', 'No picture came from the server.'))), FIRST_FRAME_MS);
    const shown = () => settle(resolve);
    const decoded = () => {
      if (document.hidden || !('requestVideoFrameCallback' in video)) shown();
    };
    /** @param {() => void} end */
    const settle = (end) => {
      clearTimeout(timer);
      video.removeEventListener('loadeddata', decoded);
      end();
    };
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(shown);
    video.addEventListener('loadeddata', decoded);
    signal.addEventListener('abort', () => settle(resolve), { once: true });
  });
}

/**
 * Plays with sound; where the browser wants a gesture first, without.
 * @param {HTMLVideoElement} video
 * @returns {Promise<boolean>} whether there is sound
 */
export async function playAloud(video) {
  video.muted = false;
  try {
    await video.play();
    return true;
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return true;  // replaced by a newer play
    video.muted = true;
    await video.play().catch(() => {});
    return false;
  }
}

/** Whether the server sends a picture at all: its tracks are known as soon as the call is. @param {HTMLVideoElement} video */
export const hasPicture = ({ srcObject }) => srcObject instanceof MediaStream && srcObject.getVideoTracks().length > 0;
