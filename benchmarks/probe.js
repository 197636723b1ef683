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

  /** How loud the page plays what it receives, 0 to 1. */
  probe.volume = () => {
    const video = ownVideo();
    return video.muted ? 0 : video.volume;
  };

  /**
   * Records the loudness (RMS) of a stream every few milliseconds, as [time, loudness] in probe.levels[name].
   * `volume` tells how loud the page plays it at that moment.
   */
  probe.listen = (name, stream, volume = () => 1) => {
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
      levels.push([performance.now(), volume() * Math.sqrt(energy / sound.length)]);
    }, 5);
  };

  /** The element's own video: what the visitor looks at. */
  const ownVideo = () => document.querySelector('digital-human').shadowRoot.querySelector('video');

  /** Keeps the times at which the page's own video shows a frame, in probe.shown. */
  probe.watch = () => {
    const video = ownVideo();
    probe.shown = [];
    const step = (now, meta) => {
      probe.shown.push(meta.expectedDisplayTime);
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
  };

  /** Keeps the times at which the page's own video turns white, in probe.flashed. */
  probe.flashes = () => {
    const video = ownVideo();
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 4;
    const paint = canvas.getContext('2d', { willReadFrequently: true });
    probe.flashed = [];
    let white = false;
    const step = (now, meta) => {
      paint.drawImage(video, 0, 0, 4, 4);
      const was = white;
      white = paint.getImageData(1, 1, 1, 1).data[1] > 128;
      if (white && !was) probe.flashed.push(meta.expectedDisplayTime);
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
  };

  const CLICKS = `
    class Clicks extends AudioWorkletProcessor {
      constructor() {
        super();
        this.offsets = [];
        this.quiet = 0;
      }
      process([[sound]]) {
        this.offsets.push(Date.now() - currentTime * 1000);
        if (this.offsets.length > 750) this.offsets.shift();
        for (let i = 0; sound && i < sound.length; i++) {
          const loud = Math.abs(sound[i]) > 0.1;
          if (loud && this.quiet > sampleRate / 4) {
            const offset = [...this.offsets].sort((a, b) => a - b)[this.offsets.length >> 1];
            this.port.postMessage((currentTime + i / sampleRate) * 1000 + offset);
          }
          this.quiet = loud ? 0 : this.quiet + 1;
        }
        return true;
      }
    }
    registerProcessor('clicks', Clicks);`;

  /**
   * Keeps the times at which a click is heard, in probe.clicked: the sample's place on the sound's own clock, brought
   * to the page's by the median of what lay between them in the last two seconds.
   */
  probe.clicks = async () => {
    probe.clicked = [];
    const context = new AudioContext({ latencyHint: 'interactive' });
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([CLICKS], { type: 'text/javascript' })));
    const clicks = new AudioWorkletNode(context, 'clicks');
    clicks.port.onmessage = ({ data }) => probe.clicked.push(data - performance.timeOrigin);
    context.createMediaStreamSource(probe.remote('audio')).connect(clicks);
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
