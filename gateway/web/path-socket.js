/**
 * A way for the sound where UDP does not get through: a WebSocket of its own beside the control socket, so that closing
 * it takes the microphone and the loudspeaker away and nothing else. PCM, 16 bits, 24 kHz, both ways.
 */

import { Capture } from "./capture.js";
import { PathError } from "./path-rtc.js";
import { Player } from "./player.js";

/** What may wait to be sent. Sound that is older than this is of no use. */
const MAX_WAITING_BYTES = 256 * 1024;

export class SocketPath {
  via = "socket";
  location = null;
  #place;
  #on;
  #socket = null;
  #capture = null;
  #player = null;
  #closed = false;

  /** As `RtcPath`; there is no call to go on with. */
  constructor(place, on) {
    this.#place = place;
    this.#on = on;
  }

  get sound() {
    return this.#player?.stream ?? null;
  }

  async open(track, signal) {
    try {
      this.#player = new Player();
      this.#capture = new Capture((audio) => this.#heard(audio));
      await Promise.all([this.#capture.open(), this.#connect(signal)]);
      if (this.#closed) throw new PathError("closed", "The call has ended.");
      this.send({ type: "session.update", session: { type: "realtime", output_modalities: ["audio"] } });
      if (track) this.#capture.take(track);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #connect(signal) {
    return new Promise((resolve, reject) => {
      const failed = () => reject(new PathError("socket_failed", "The WebSocket for the sound could not be opened."));
      const { address, session, device } = this.#place();
      const socket = new WebSocket(address.socket({ session, device }), address.protocols());
      this.#socket = socket;
      signal.addEventListener("abort", failed);
      socket.addEventListener("message", (message) => {
        const event = JSON.parse(message.data);
        if (event.type === "session.created") resolve();
        this.#told(event);
      });
      socket.addEventListener("close", () => {
        failed();
        if (!this.#closed) this.#on.broken();
      });
    });
  }

  #told(event) {
    if (event.type === "response.output_audio.delta") this.#player.play(event.delta);
    else if (event.type === "output_audio_buffer.paused") this.#player.pause();
    else if (event.type === "output_audio_buffer.resumed") this.#player.resume();
    else if (event.type === "output_audio_buffer.cleared") this.#player.flush();
    this.#on.event(event);
  }

  #heard(audio) {
    if (this.#socket?.bufferedAmount < MAX_WAITING_BYTES) this.send({ type: "input_audio_buffer.append", audio });
  }

  async carry(track) {
    this.#capture?.take(track);
  }

  send(event) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(event));
    return true;
  }

  close() {
    this.#closed = true;
    this.#socket?.close();
    this.#capture?.close();
    this.#player?.close();
  }

  hangUp() {
    this.close();
  }
}
