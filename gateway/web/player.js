/** Plays sound that comes in pieces: base64 of 16-bit samples at 24 kHz. Can stand still, and be emptied at once. */

const RATE_HZ = 24_000;
/** A first piece waits so long for the next ones, so that a late one leaves no gap. */
const CUSHION_S = 0.06;

export class Player {
  #context = new AudioContext({ latencyHint: "interactive" });
  #out = this.#context.createMediaStreamDestination();
  #playing = new Set();
  #until = 0;

  /** What is played. */
  get stream() {
    return this.#out.stream;
  }

  play(audio) {
    const buffer = this.#decoded(audio);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#out);
    source.addEventListener("ended", () => this.#playing.delete(source));
    if (this.#until <= this.#context.currentTime) this.#until = this.#context.currentTime + CUSHION_S;
    source.start(this.#until);
    this.#until += buffer.duration;
    this.#playing.add(source);
  }

  /** Stand still, keeping what waits. */
  pause() {
    this.#context.suspend();
  }

  resume() {
    this.#context.resume();
  }

  /** Drop what waits. */
  flush() {
    for (const source of this.#playing) source.stop();
    this.#playing.clear();
    this.#until = 0;
    this.#context.resume();
  }

  close() {
    if (this.#context.state !== "closed") this.#context.close();
  }

  #decoded(audio) {
    const bytes = Uint8Array.from(atob(audio), (char) => char.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const samples = Float32Array.from({ length: bytes.length / 2 }, (_, index) => view.getInt16(index * 2, true) / 32_768);
    const buffer = this.#context.createBuffer(1, samples.length, RATE_HZ);
    buffer.copyToChannel(samples, 0);
    return buffer;
  }
}
