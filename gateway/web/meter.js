/** How loud things are: the microphone, and the answer as it arrives (before any muting). */

const EVERY_MS = 50;
const FLOOR_DB = -60;

/** A root mean square (0 to 1) as a share of the meter: -60 dB is empty, 0 dB full. */
export function share(rms) {
  return rms <= 0 ? 0 : Math.min(1, Math.max(0, 1 - (20 * Math.log10(rms)) / FLOOR_DB));
}

export class Meter {
  #context = null;
  #sources = new Map();
  #timer = null;
  #onLevels;

  /** `onLevels({microphone, answer})` is called 20 times a second while something is measured (RMS, 0 to 1). */
  constructor(onLevels) {
    this.#onLevels = onLevels;
  }

  /** Call it from a click: browsers start no audio context without one. */
  start() {
    this.#context ??= new AudioContext();
    this.#context.resume();
    this.#timer ??= setInterval(() => this.#measure(), EVERY_MS);
  }

  /** What the sound card takes, in seconds; 0 where the browser does not say. */
  get latency() {
    return this.#context?.outputLatency ?? 0;
  }

  /** Measure `stream` under `name` from now on, in place of what was measured under it. */
  listen(name, stream) {
    this.#sources.get(name)?.source.disconnect();
    const source = this.#context.createMediaStreamSource(stream);
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 2048;
    source.connect(analyser);
    this.#sources.set(name, { source, analyser, samples: new Float32Array(analyser.fftSize) });
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    for (const { source } of this.#sources.values()) source.disconnect();
    this.#sources.clear();
    this.#context?.suspend();
    this.#onLevels({ microphone: 0, answer: 0 });
  }

  #measure() {
    this.#onLevels({ microphone: this.#rms("microphone"), answer: this.#rms("answer") });
  }

  #rms(name) {
    const measured = this.#sources.get(name);
    if (!measured) return 0;
    measured.analyser.getFloatTimeDomainData(measured.samples);
    const energy = measured.samples.reduce((sum, sample) => sum + sample * sample, 0);
    return Math.sqrt(energy / measured.samples.length);
  }
}
