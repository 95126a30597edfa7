/** Runs in the audio thread: any rate in, 16-bit little-endian mono at 24 kHz out. */

const RATE_HZ = 24_000;
const PIECE = 960;

class CaptureProcessor extends AudioWorkletProcessor {
  /** Input samples in one output sample. */
  #step = sampleRate / RATE_HZ;
  #sum = 0;
  #weight = 0;
  #piece = new DataView(new ArrayBuffer(PIECE * 2));
  #filled = 0;

  process([[channel]]) {
    // Each output sample is the mean of the input that it covers: an edge in the middle of one counts in part.
    for (const sample of channel ?? []) {
      let rest = 1;
      while (this.#weight + rest >= this.#step) {
        const part = this.#step - this.#weight;
        this.#put((this.#sum + sample * part) / this.#step);
        this.#sum = this.#weight = 0;
        rest -= part;
      }
      this.#sum += sample * rest;
      this.#weight += rest;
    }
    return true;
  }

  #put(value) {
    const scaled = Math.round(Math.max(-1, Math.min(1, value)) * 32_767);
    this.#piece.setInt16(this.#filled * 2, scaled, true);
    this.#filled += 1;
    if (this.#filled < PIECE) return;
    this.port.postMessage(this.#piece.buffer.slice(0));
    this.#filled = 0;
  }
}

registerProcessor("capture", CaptureProcessor);
