/** The microphone as base64 of 16-bit samples at 24 kHz, 40 ms at a time. */

export class Capture {
  #onAudio;
  #context = new AudioContext({ latencyHint: "interactive" });
  #node = null;
  #source = null;

  /** `onAudio(base64)` is called for each piece. */
  constructor(onAudio) {
    this.#onAudio = onAudio;
  }

  async open() {
    await this.#context.audioWorklet.addModule(new URL("capture-worklet.js", import.meta.url));
    this.#node = new AudioWorkletNode(this.#context, "capture", { numberOfOutputs: 1 });
    this.#node.port.onmessage = (message) => this.#onAudio(base64(new Uint8Array(message.data)));
    this.#node.connect(this.#context.destination); // silent, but what leads nowhere is not run
    await this.#context.resume();
  }

  /** Listen to `track` from now on. */
  take(track) {
    this.#source?.disconnect();
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#node);
  }

  close() {
    this.#source?.disconnect();
    if (this.#node) this.#node.port.onmessage = null;
    if (this.#context.state !== "closed") this.#context.close();
  }
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
