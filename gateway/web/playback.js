/**
 * Tells the gateway how far behind its sending this page plays, so that what counts as heard is what was heard.
 *
 * A browser says how long sound stays in its jitter buffer (getStats), and how long its sound card takes after that
 * (an AudioContext's `outputLatency`; the loudspeaker's own path is not asked, but ends in the same card).
 */

const EVERY_MS = 1000;

/** Beyond this it is a fault of the figures. The gateway believes no more than 5 s either. */
const MOST_MS = 5000;

export class Playback {
  #peer;
  #send;
  #latency;
  #last = null;
  #timer = null;

  /** `send(event)` sends an event to the gateway; `latency()` gives the sound card's, in seconds (0: not known). */
  constructor(peer, send, latency = () => 0) {
    this.#peer = peer;
    this.#send = send;
    this.#latency = latency;
  }

  /** Report once a second from now on. */
  start() {
    this.#timer ??= setInterval(() => this.report(), EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Report now; nothing is sent while nothing was played since the last time. */
  async report() {
    const stats = await this.#peer.getStats();
    const now = [...stats.values()].find((it) => it.type === "inbound-rtp" && it.kind === "audio");
    const before = this.#last;
    this.#last = now ?? before;
    const buffered = now && before ? bufferedMs(before, now, this.#latency()) : null;
    if (buffered !== null) this.#send({ type: "playback.report", buffered_ms: buffered });
  }
}

/** What a device buffers, between two looks at its inbound stream; null when it played nothing in between. */
export function bufferedMs(before, now, latency) {
  const played = now.jitterBufferEmittedCount - before.jitterBufferEmittedCount;
  if (!(played > 0)) return null;
  const waited = (now.jitterBufferDelay - before.jitterBufferDelay) / played;
  const ms = Math.round((waited + latency) * 1000);
  return ms >= 0 && ms <= MOST_MS ? ms : null;
}
