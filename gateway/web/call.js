/**
 * The call: sound both ways over WebRTC, and the data channel `oai-events`, in the session of the control socket.
 *
 * While it is on it mends itself: when the connection is lost, it is offered anew with the same microphone.
 */

import { authorisation } from "./keep.js";
import { open } from "./microphone.js";
import { Retry } from "./retry.js";

const CHANNEL = "oai-events";
const GATHER_WITHIN_MS = 1000;
const ANSWER_WITHIN_MS = 15_000;
/** A lost packet or two also shows as "disconnected" and heals by itself. */
const HEAL_WITHIN_MS = 2000;
const PROBE_WITHIN_MS = 2000;

/** Failures after which the user is told, while it goes on trying. */
const TELL_AFTER = 2;

/** There is no call, or not yet. `code` is stable. */
export class CallError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const NO_NETWORK = new CallError(
  "no_network_for_sound",
  "Browsers send sound only over a network, even to their own computer, and there is none. Join one and press Talk again, or type.",
);
const UNREACHABLE = new CallError(
  "sound_unreachable",
  "No way was found for the sound (UDP between this browser and the gateway). Still trying; you can type meanwhile.",
);

export class Call {
  #place;
  #on;
  #state = "off";
  #microphone = null;
  #peer = null;
  #channel = null;
  #location = null;
  #heard = 0;
  #failures = 0;
  #timers = new Set();
  #retry = new Retry(() => this.#offer());

  /**
   * `place()` gives `{session, device}`. `on.state(state)` is told off, asking, connecting, live, waiting;
   * `on.event(event)` gets what comes by the channel; `on.microphone(stream)`, `on.sound(stream)` the streams;
   * `on.error(error)` what went wrong; it is off then, or tries again.
   */
  constructor(place, on) {
    this.#place = place;
    this.#on = on;
  }

  get state() {
    return this.#state;
  }

  /** Ask for the microphone and begin to talk. */
  async start(microphoneId) {
    if (this.#state !== "off") return;
    this.#become("asking");
    try {
      const stream = await open(microphoneId);
      if (this.#state !== "asking") return stopAll(stream); // hung up meanwhile
      this.#take(stream);
    } catch (error) {
      this.#fail(error);
      return;
    }
    await this.#offer();
  }

  /** Hang up. */
  stop() {
    this.#retry.succeeded();
    this.#failures = 0;
    this.#drop();
    if (this.#microphone) stopAll(this.#microphone);
    this.#microphone = null;
    if (this.#state !== "off") this.#become("off");
  }

  /** Take another microphone, in the running call too. */
  async choose(microphoneId) {
    if (!this.#microphone) return;
    const muted = this.muted;
    try {
      const stream = await open(microphoneId);
      if (!this.#microphone) return stopAll(stream);
      stopAll(this.#microphone);
      this.#take(stream);
      this.muted = muted;
      await this.#sender()?.replaceTrack(this.#track());
    } catch (error) {
      this.#on.error(error);
    }
  }

  get muted() {
    return this.#track()?.enabled === false;
  }

  set muted(muted) {
    const track = this.#track();
    if (track) track.enabled = !muted;
  }

  /** Send an event by the channel. False when it is not open. */
  send(event) {
    if (this.#channel?.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(event));
    return true;
  }

  /** Is the gateway still there? Asked after the control socket came back; a call that does not answer is renewed. */
  probe() {
    if (this.#state !== "live") return;
    const before = this.#heard;
    if (!this.send({ type: "session.update", session: { type: "realtime" } })) return;
    this.#after(PROBE_WITHIN_MS, () => this.#heard === before && this.#lost());
  }

  /** Try at once what would be tried later. */
  hurry() {
    if (this.#retry.waiting) this.#retry.now();
  }

  #take(stream) {
    this.#microphone = stream;
    this.#track().addEventListener("ended", () => {
      if (this.#microphone === stream) this.choose(""); // unplugged: the default one takes over
    });
    this.#on.microphone(stream);
  }

  #track() {
    return this.#microphone?.getAudioTracks()[0] ?? null;
  }

  #sender() {
    return this.#peer?.getSenders().find((sender) => sender.track?.kind === "audio");
  }

  #become(state) {
    this.#state = state;
    this.#on.state(state);
  }

  async #offer() {
    this.#drop();
    this.#become("connecting");
    const peer = this.#newPeer();
    this.#after(ANSWER_WITHIN_MS, () => this.#state === "connecting" && this.#lost());
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer);
      if (!peer.localDescription.sdp.includes("a=candidate:")) throw NO_NETWORK;
      const answer = await this.#post(peer.localDescription.sdp);
      if (this.#peer === peer) {
        this.#location = answer.location;
        await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      } else {
        hangUp(answer.location);
      }
    } catch (error) {
      if (this.#peer !== peer) return;
      if (error instanceof CallError) this.#fail(error);
      else this.#lost();
    }
  }

  #newPeer() {
    const peer = new RTCPeerConnection();
    this.#peer = peer;
    peer.addTrack(this.#track(), this.#microphone);
    const channel = peer.createDataChannel(CHANNEL);
    this.#channel = channel;
    const current = (act) => (event) => this.#peer === peer && act(event);
    channel.addEventListener("message", current((message) => this.#hear(JSON.parse(message.data))));
    channel.addEventListener("close", current(() => this.#lost()));
    peer.addEventListener("track", current((event) => this.#on.sound(event.streams[0] ?? new MediaStream([event.track]))));
    peer.addEventListener("connectionstatechange", current(() => this.#connectionChanged(peer)));
    return peer;
  }

  #connectionChanged(peer) {
    if (peer.connectionState === "failed") this.#lost();
    if (peer.connectionState !== "disconnected") return;
    this.#after(HEAL_WITHIN_MS, () => peer.connectionState === "disconnected" && this.#lost());
  }

  async #post(offer) {
    const { session, device } = this.#place();
    const query = new URLSearchParams({ session, device, ext: "bargein.v1" });
    const response = await fetch(`/v1/realtime/calls?${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", ...authorisation() },
      body: offer,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (response.ok) return { sdp: await response.text(), location: response.headers.get("Location") };
    const { error } = await response.json();
    throw new CallError(error.code, error.message);
  }

  #hear(event) {
    this.#heard += 1;
    if (event.type === "session.created") {
      this.#retry.succeeded();
      this.#failures = 0;
      this.#become("live");
    }
    this.#on.event(event);
  }

  #lost() {
    this.#drop();
    if (!this.#microphone) return;
    this.#failures += 1;
    if (this.#failures === TELL_AFTER) this.#on.error(UNREACHABLE);
    this.#retry.later();
    this.#become("waiting");
  }

  #fail(error) {
    this.stop();
    this.#on.error(error);
  }

  #after(ms, act) {
    const peer = this.#peer;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#peer === peer) act();
    }, ms);
    this.#timers.add(timer);
  }

  #drop() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    const [peer, location] = [this.#peer, this.#location];
    this.#peer = this.#channel = this.#location = null;
    if (location) hangUp(location);
    peer?.close();
  }
}

function stopAll(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** Tell the gateway, even while the page is being closed; it would notice by itself, only later. */
function hangUp(location) {
  fetch(location, { method: "DELETE", headers: authorisation(), keepalive: true }).catch(() => {});
}

function gathered(peer) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, GATHER_WITHIN_MS);
    check();
  });
}
