/**
 * The call: sound both ways, in the session of the control socket.
 *
 * It goes by WebRTC, or by a WebSocket where that does not get through. While it is on it mends itself: when its path
 * breaks or the network changes, another one takes over, with the same microphone, and only then is the old one closed.
 */

import { open } from "./microphone.js";
import { RtcPath } from "./path-rtc.js";
import { SocketPath } from "./path-socket.js";
import { Retry } from "./retry.js";

/** So long a path may take to open; then the next one is tried. */
const OPEN_WITHIN_MS = 4000;
const PROBE_WITHIN_MS = 2000;

/** By WebSocket: when WebRTC is tried again. Each time it was in vain, twice as late. */
const UPGRADE_AFTER_MS = 20_000;
const UPGRADE_AT_LATEST_MS = 300_000;

/** Refusals that no other path would change. */
const FINAL = new Set(["voice_unavailable"]);

const SILENT = {
  ...{ state: () => {}, event: () => {}, microphone: () => {}, sound: () => {}, error: () => {} },
  ...{ busy: () => false, latency: () => 0 },
};

export class Call {
  #place;
  #on;
  #state = "off";
  #microphone = null;
  #path = null;
  #paths = 0;
  #heard = 0;
  #opening = null;
  #upgradeAfter = UPGRADE_AFTER_MS;
  #upgrade = null;
  #retry = new Retry(() => this.#connect());

  /**
   * `place()` gives `{address, session, device}`. What `on` holds is called, and may be left out: `on.state(state)` is
   * told off, asking, connecting, live, waiting; `on.event(event)` gets what comes by the path; `on.microphone(stream)`,
   * `on.sound(stream)` the streams; `on.error(error)` what went wrong; it is off then. `on.busy()` says whether an answer
   * is on its way, `on.latency()` the sound card's latency in seconds.
   */
  constructor(place, on) {
    this.#place = place;
    this.#on = { ...SILENT, ...on };
  }

  get state() {
    return this.#state;
  }

  /** What carries the sound: "webrtc", "socket", or null. */
  get via() {
    return this.#state === "live" ? this.#path.via : null;
  }

  /** How many paths have carried the sound so far. */
  get paths() {
    return this.#paths;
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
    await this.#connect();
  }

  /** Hang up. */
  stop() {
    this.#retry.succeeded();
    clearTimeout(this.#upgrade);
    this.#opening?.abort();
    this.#path?.hangUp();
    this.#path = null;
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
      await this.#path?.carry(this.#track());
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

  /** Send an event by the path. False when it is not open. */
  send(event) {
    return this.#path?.send(event) ?? false;
  }

  /** Is the gateway still there? Asked after the control socket came back; a path that does not answer is replaced. */
  probe() {
    const [path, before] = [this.#path, this.#heard];
    if (this.#state !== "live" || !this.send({ type: "session.update", session: { type: "realtime" } })) return;
    setTimeout(() => this.#heard === before && this.#broken(path), PROBE_WITHIN_MS);
  }

  /** Try at once what would be tried later. */
  hurry() {
    if (this.#retry.waiting) this.#retry.now();
  }

  /** The network is another one: what seems to work may be dead, and what did not work may now. */
  networkChanged() {
    if (this.#state !== "live") this.hurry();
    else if (this.#path.via === "webrtc") this.#renew(this.#path);
    else this.#tryWebRtc();
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

  #become(state) {
    this.#state = state;
    this.#on.state(state);
  }

  // --- paths ---

  /** There is none: WebRTC, else the WebSocket, else later. */
  async #connect() {
    this.#become("connecting");
    await this.#tryInTurn([this.#rtc(null), this.#socket()]);
  }

  /** WebRTC is broken, or may be: another peer for the same call, else the WebSocket. */
  async #mend(path) {
    if (this.#path !== path || this.#opening) return;
    await this.#tryInTurn([this.#rtc(path.location), this.#socket()]);
  }

  /** WebRTC works, or does not show yet that it is broken: another peer for the same call, else nothing changes. */
  async #renew(path) {
    if (this.#opening) return;
    const next = this.#rtc(path.location);
    const opened = await this.#opens(next, this.#track()).catch(() => false);
    if (opened && this.#path === path) this.#carryOn(next);
    else next.close();
  }

  /** By WebSocket, and nothing is being said: perhaps WebRTC gets through now. The microphone moves with the call. */
  async #tryWebRtc() {
    clearTimeout(this.#upgrade);
    if (this.#path?.via !== "socket" || this.#opening) return;
    if (!this.#on.busy()) {
      const path = this.#rtc(null);
      if (await this.#opens(path, null).catch(() => false)) {
        this.#carryOn(path);
        await path.carry(this.#track());
        return;
      }
      path.hangUp();
      this.#upgradeAfter = Math.min(UPGRADE_AT_LATEST_MS, this.#upgradeAfter * 2);
    }
    this.#upgradeLater();
  }

  #upgradeLater() {
    clearTimeout(this.#upgrade);
    this.#upgrade = setTimeout(() => this.#tryWebRtc(), this.#upgradeAfter);
  }

  async #tryInTurn(paths) {
    for (const path of paths) {
      try {
        if (await this.#opens(path, this.#track())) this.#carryOn(path);
        return;
      } catch (error) {
        if (path.location && path.location !== this.#path?.location) path.hangUp();
        if (!this.#microphone) return;
        if (FINAL.has(error.code)) return this.#fail(error);
      }
    }
    this.#lost();
  }

  /** Open a path. False when the user hung up meanwhile; rejects when it cannot be opened in time. */
  async #opens(path, track) {
    const opening = new AbortController();
    this.#opening = opening;
    const timer = setTimeout(() => opening.abort(), OPEN_WITHIN_MS);
    try {
      await path.open(track, opening.signal);
    } finally {
      clearTimeout(timer);
      if (this.#opening === opening) this.#opening = null;
    }
    if (this.#microphone) return true;
    path.hangUp();
    return false;
  }

  /** From now on the sound goes by `path`. */
  #carryOn(path) {
    const old = this.#path;
    this.#path = path;
    this.#paths += 1;
    if (old && old.location === path.location) old.close();
    else old?.hangUp();
    this.#retry.succeeded();
    if (path.via === "socket") this.#upgradeLater();
    else this.#upgradeAfter = UPGRADE_AFTER_MS;
    this.#on.sound(path.sound);
    this.#become("live");
  }

  #rtc(location) {
    const path = new RtcPath(this.#place, location, this.#ears(() => path));
    return path;
  }

  #socket() {
    const path = new SocketPath(this.#place, this.#ears(() => path));
    return path;
  }

  #ears(path) {
    return {
      event: (event) => this.#hear(path(), event),
      broken: () => this.#broken(path()),
      latency: () => this.#on.latency(),
    };
  }

  /** Two peers of one call tell each event once between them; two calls tell it twice. */
  #hear(path, event) {
    if (this.#path && path !== this.#path && (path.location === null || path.location !== this.#path.location)) return;
    this.#heard += 1;
    this.#on.event(event);
  }

  #broken(path) {
    if (this.#path !== path) return;
    if (path.via === "webrtc") this.#mend(path);
    else this.#lost();
  }

  #lost() {
    this.#path?.hangUp();
    this.#path = null;
    if (!this.#microphone) return;
    this.#retry.later();
    this.#become("waiting");
  }

  #fail(error) {
    this.stop();
    this.#on.error(error);
  }
}

function stopAll(stream) {
  for (const track of stream.getTracks()) track.stop();
}
