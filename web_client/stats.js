/** What RTCPeerConnection.getStats() says about the conversation, once a second. */

/**
 * @typedef {object} Quality
 * @property {number | null} rttMs round trip of the media path
 * @property {number | null} framesPerSecond decoded; null before the first second is over
 * @property {number} kbps received, sound and picture
 * @property {number} lossRatio 0 to 1, of packets since the last look
 * @property {number} audioDelayMs mean time that sound waited in the jitter buffer since the last look
 * @property {number} videoDelayMs the same for the picture
 * @property {number} concealedRatio 0 to 1, sound samples invented for missing ones since the last look
 * @property {string} size of the picture, "512×512"
 * @property {'good' | 'fair' | 'poor'} rating
 */
/** @typedef {Record<string, number>} Counters */

/**
 * @param {Iterable<any>} report values of an RTCStatsReport
 * @param {Counters | null} before counters that the last look returned
 * @param {number} nowMs
 * @returns {{quality: Quality, counters: Counters}}
 */
export function readStats(report, before, nowMs) {
  /** @type {any} */ let audio = {};
  /** @type {any} */ let video = {};
  /** @type {any} */ let pair = {};
  for (const entry of report) {
    if (entry.type === 'inbound-rtp' && entry.kind === 'audio') audio = entry;
    if (entry.type === 'inbound-rtp' && entry.kind === 'video') video = entry;
    if (entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') pair = entry;
  }
  /** @type {Counters} */
  const counters = {
    atMs: nowMs,
    bytes: (audio.bytesReceived ?? 0) + (video.bytesReceived ?? 0),
    packets: (audio.packetsReceived ?? 0) + (video.packetsReceived ?? 0),
    lost: (audio.packetsLost ?? 0) + (video.packetsLost ?? 0),
    audioDelay: audio.jitterBufferDelay ?? 0,
    audioEmitted: audio.jitterBufferEmittedCount ?? 0,
    videoDelay: video.jitterBufferDelay ?? 0,
    videoEmitted: video.jitterBufferEmittedCount ?? 0,
    samples: audio.totalSamplesReceived ?? 0,
    concealed: (audio.concealedSamples ?? 0) - (audio.silentConcealedSamples ?? 0),
  };
  const since = (/** @type {string} */ name) => Math.max(0, counters[name] - (before?.[name] ?? 0));
  const seconds = before ? Math.max(0.001, since('atMs') / 1000) : 0;
  const share = (/** @type {number} */ part, /** @type {number} */ whole) => (whole > 0 ? part / whole : 0);
  const measured = {
    rttMs: typeof pair.currentRoundTripTime === 'number' ? pair.currentRoundTripTime * 1000 : null,
    framesPerSecond: video.framesPerSecond ?? null,
    kbps: seconds > 0 ? (since('bytes') * 8) / 1000 / seconds : 0,
    lossRatio: share(since('lost'), since('lost') + since('packets')),
    audioDelayMs: share(since('audioDelay'), since('audioEmitted')) * 1000,
    videoDelayMs: share(since('videoDelay'), since('videoEmitted')) * 1000,
    concealedRatio: share(since('concealed'), since('samples')),
    size: video.frameWidth ? `${video.frameWidth}×${video.frameHeight}` : '',
  };
  return { quality: { ...measured, rating: rate(measured) }, counters };
}

/**
 * Poor is what a person notices in every sentence; fair is what they notice sometimes.
 * @param {Omit<Quality, 'rating'>} quality
 * @returns {Quality['rating']}
 */
function rate({ rttMs, lossRatio, concealedRatio, framesPerSecond }) {
  const rtt = rttMs ?? 0;
  const frames = framesPerSecond ?? 25;
  if (rtt > 400 || lossRatio > 0.08 || concealedRatio > 0.08 || frames < 12) return 'poor';
  if (rtt > 200 || lossRatio > 0.02 || concealedRatio > 0.02 || frames < 20) return 'fair';
  return 'good';
}
