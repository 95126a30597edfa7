/** A way for the sound: WebRTC, with the data channel `oai-events`. One peer; a call may have several, one after another. */

import { SUBPROTOCOL } from "./address.js";
import { Playback } from "./playback.js";

const CHANNEL = "oai-events";
const GATHER_WITHIN_MS = 1000;

/** The gateway sends something each second at least; a path that brings nothing for so many seconds is dead. */
const SILENT_FOR = 3;

/** There is no path. `code` is stable. */
export class PathError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class RtcPath {
  via = "webrtc";
  location;
  #place;
  #on;
  #peer = null;
  #channel = null;
  #stream = null;
  #watch = null;
  #playback = null;
  #closed = false;

  /**
   * `on.event(event)`, `on.broken()` as they happen; `on.latency()` gives the sound card's, in seconds. `location` is
   * that of the call to go on with, or null for a new one at the gateway and in the session that `place()` gives.
   */
  constructor(place, location, on) {
    this.#place = place;
    this.location = location;
    this.#on = on;
  }

  /** What sounds, a MediaStream; null until the path is open. */
  get sound() {
    return this.#stream;
  }

  /** Connect, sending `track` (null: nothing yet). Rejects with a PathError, or an AbortError when `signal` says so. */
  async open(track, signal) {
    const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    try {
      await Promise.race([this.#open(track, signal), aborted]);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#watchOver();
    this.#playback.start();
  }

  async #open(track, signal) {
    const peer = new RTCPeerConnection({ iceServers: await this.#iceServers(signal) });
    this.#peer = peer;
    peer.addTransceiver(track ?? "audio", { direction: "sendrecv", streams: track ? [new MediaStream([track])] : [] });
    this.#playback = new Playback(peer, (event) => this.send(event), this.#on.latency);
    const channel = peer.createDataChannel(CHANNEL);
    this.#channel = channel;
    const up = this.#whenUp(peer, channel);
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    if (this.#closed) return;
    if (!peer.localDescription.sdp.includes("a=candidate:")) throw new PathError("no_candidates", "There is no network for UDP.");
    const sdp = await this.#post(peer.localDescription.sdp, signal);
    if (this.#closed) return;
    await peer.setRemoteDescription({ type: "answer", sdp });
    await up;
  }

  #whenUp(peer, channel) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (peer.connectionState === "connected" && channel.readyState === "open" && this.#stream) resolve();
        else if (peer.connectionState === "failed") reject(new PathError("ice_failed", "No way was found for the sound."));
      };
      peer.addEventListener("track", (event) => {
        this.#stream = event.streams[0] ?? new MediaStream([event.track]);
        look();
      });
      peer.addEventListener("connectionstatechange", () => {
        look();
        if (["disconnected", "failed"].includes(peer.connectionState)) this.#broken();
      });
      channel.addEventListener("open", look);
      channel.addEventListener("close", () => this.#broken());
      channel.addEventListener("message", (message) => this.#hear(JSON.parse(message.data)));
    });
  }

  #hear(event) {
    if (event.type === "output_audio_buffer.paused") this.#playback.report();
    this.#on.event(event);
  }

  async #post(offer, signal) {
    const { address, session, device } = this.#place();
    const fresh = address.http("/v1/realtime/calls");
    for (const [name, value] of Object.entries({ session, device, ext: SUBPROTOCOL })) fresh.searchParams.set(name, value);
    const post = (url) => {
      const headers = { "Content-Type": "application/sdp", ...address.headers };
      return fetch(url, { method: "POST", headers, body: offer, signal });
    };
    let response = this.location ? await post(address.located(this.location)) : null;
    if (response === null || response.status === 404) response = await post(fresh);
    if (!response.ok) {
      const { error } = await response.json();
      throw new PathError(error.code, error.message);
    }
    const location = response.headers.get("Location");
    if (this.#closed && location !== this.location) this.#hangUp(location);
    this.location = location;
    return response.text();
  }

  /** Send `track` from now on, in place of what was sent. */
  async carry(track) {
    await this.#peer?.getTransceivers()[0]?.sender.replaceTrack(track);
  }

  /** Send an event. False when the channel is not open. */
  send(event) {
    if (this.#channel?.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(event));
    return true;
  }

  /** Let go of it. The call goes on at the gateway for a while, for another path. */
  close() {
    this.#end();
    this.#peer?.close();
  }

  /** End the call. The gateway is told before the peer closes, which would end it too. */
  hangUp() {
    this.#end();
    Promise.resolve(this.location && this.#hangUp(this.location)).then(() => this.#peer?.close());
  }

  /** Tell the gateway, even while the page is being closed; it would notice by itself, only later. */
  #hangUp(location) {
    const { address } = this.#place();
    return fetch(address.located(location), { method: "DELETE", headers: address.headers, keepalive: true }).catch(() => {});
  }

  async #iceServers(signal) {
    const { address } = this.#place();
    const response = await fetch(address.http("/v1/realtime/ice_servers"), { headers: address.headers, signal });
    return response.ok ? (await response.json()).ice_servers : [];
  }

  #end() {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#playback?.stop();
  }

  #broken() {
    if (!this.#closed) this.#on.broken();
  }

  /** Browsers take up to half a minute to call a path dead; what has arrived tells sooner. */
  #watchOver() {
    let before = -1;
    let silent = 0;
    this.#watch = setInterval(async () => {
      const received = await bytesReceived(this.#peer);
      silent = received === null || received !== before ? 0 : silent + 1;
      before = received;
      if (silent >= SILENT_FOR) this.#broken();
    }, 1000);
  }
}

async function bytesReceived(peer) {
  for (const report of (await peer.getStats()).values()) {
    if (report.type === "transport" && report.bytesReceived !== undefined) return report.bytesReceived;
  }
  return null;
}

function gathered(peer) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, GATHER_WITHIN_MS);
    check();
  });
}
