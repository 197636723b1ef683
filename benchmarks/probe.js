// Put into every page before its own scripts: keeps its peer connections, and measures what they receive.
(() => {
  const Native = window.RTCPeerConnection;
  const probe = (window.probe = { peers: [], events: [], frames: [], levels: {}, microphone: null, channel: null });
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      probe.peers.push(this);
    }

    createDataChannel(...args) {
      return (probe.channel = super.createDataChannel(...args));
    }
  };

  const media = navigator.mediaDevices;
  if (media) {
    const open = media.getUserMedia.bind(media);
    media.getUserMedia = async (wishes) => (probe.microphone = await open(wishes));
  }

  document.addEventListener('realtime', (event) => probe.events.push({ at: performance.now(), ...event.detail }), true);

  /** Inbound statistics by kind, and the audio track's energy. */
  probe.inbound = async () => {
    const peer = probe.peers.at(-1);
    const found = {};
    for (const report of (await peer.getStats()).values()) {
      if (report.type === 'inbound-rtp') found[report.kind] = { ...report };
    }
    return found;
  };

  probe.remote = (kind) =>
    new MediaStream(probe.peers.at(-1).getReceivers().map(({ track }) => track).filter((track) => track?.kind === kind));

  /** Records the loudness (RMS) of a stream every few milliseconds, as [time, loudness] in probe.levels[name]. */
  probe.listen = (name, stream) => {
    const levels = (probe.levels[name] = []);
    const context = new AudioContext({ latencyHint: 'interactive' });
    const analyser = context.createAnalyser();
    analyser.fftSize = 512;
    context.createMediaStreamSource(stream).connect(analyser);
    const sound = new Float32Array(analyser.fftSize);
    setInterval(() => {
      analyser.getFloatTimeDomainData(sound);
      let energy = 0;
      for (const sample of sound) energy += sample * sample;
      levels.push([performance.now(), Math.sqrt(energy / sound.length)]);
    }, 5);
  };

  /** Records, for every displayed frame: its time, the loudness then, and the brightness of a grid over the mouth. */
  probe.record = (left, top, width, height) => {
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = probe.remote('video');
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    context.createMediaStreamSource(probe.remote('audio')).connect(analyser);
    const sound = new Float32Array(analyser.fftSize);
    const canvas = document.createElement('canvas');
    canvas.width = 24;
    canvas.height = 24;
    const paint = canvas.getContext('2d', { willReadFrequently: true });
    const step = (now, meta) => {
      analyser.getFloatTimeDomainData(sound);
      let energy = 0;
      for (const sample of sound) energy += sample * sample;
      const side = meta.width;
      paint.drawImage(video, left * side, top * side, width * side, height * side, 0, 0, 24, 24);
      const pixels = paint.getImageData(0, 0, 24, 24).data;
      const grey = [];
      for (let at = 0; at < pixels.length; at += 4) grey.push((pixels[at] + pixels[at + 1] + pixels[at + 2]) / 3);
      probe.frames.push({ at: now, shown: meta.expectedDisplayTime, loudness: Math.sqrt(energy / sound.length), grey });
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
    return video.play();
  };
})();
