/**
 * The control socket: a WebSocket `/v1/realtime` (subprotocol `bargein.v1`) that stays with one session.
 *
 * It reconnects by itself and resumes from its cursor, so that nothing is lost or doubled. Commands that change
 * the conversation are kept until the gateway has answered them, and sent again after a reconnect under the same
 * idempotency key: they are applied once.
 */

import { protocols, socketUrl } from "./address.js";
import { authorisation, freshId } from "./keep.js";
import { Retry } from "./retry.js";

const OPEN_WITHIN_MS = 10_000;

/** Close codes after which trying again by itself would only be refused again (gateway/protocol/close_codes.py). */
const REFUSED = new Set([4003, 4400]);

const UNAUTHORISED = 4401;
const SESSION_NOT_FOUND = 4004;

/** Events that bring a connection up to date, and so end "connecting". */
const CAUGHT_UP = new Set(["session.snapshot", "session.resumed"]);

export class ControlSocket {
  #device;
  #on;
  #socket = null;
  #session = null;
  #cursor = null;
  #unanswered = new Map();
  #retry = new Retry(() => this.#connect());
  #opening = null;
  #state = { kind: "closed" };

  /**
   * `on.event(event)` gets every server event once; `on.state(state)` gets `{kind, retryAt}` with the kinds
   * connecting, connected, waiting, refused; `on.lost()` is called when the session does not exist (any more).
   */
  constructor(device, on) {
    this.#device = device;
    this.#on = on;
  }

  get state() {
    return this.#state;
  }

  get sessionId() {
    return this.#session;
  }

  /** Join a session, or open a new one when `session` is null. Whatever was joined before is left. */
  join(session) {
    this.#session = session;
    this.#cursor = null;
    this.#unanswered.clear();
    this.#retry.succeeded();
    this.#connect();
  }

  /** Connect again without waiting; harmless when connected. */
  hurry() {
    if (this.#state.kind !== "connected" && this.#state.kind !== "connecting") this.#retry.now();
  }

  /** The network has changed: what looks open may be dead, so begin anew. */
  renew() {
    this.#retry.now();
  }

  /** Send a command that must take effect once, now or after a reconnect. Returns its event id. */
  command(event) {
    const id = freshId("evt_");
    const whole = { event_id: id, idempotency_key: id, ...event };
    this.#unanswered.set(id, whole);
    if (this.#state.kind === "connected") this.#send(whole);
    return id;
  }

  /** Send what is only worth sending now. False when there is no connection. */
  now(event) {
    if (this.#state.kind !== "connected") return false;
    this.#send(event);
    return true;
  }

  #send(event) {
    this.#socket.send(JSON.stringify(event));
  }

  #connect() {
    this.#drop();
    this.#become({ kind: "connecting" });
    const socket = new WebSocket(this.#url(), protocols());
    this.#socket = socket;
    // A socket that was replaced keeps firing; only the current one counts.
    const current = (act) => (event) => {
      if (this.#socket === socket) act(event);
    };
    socket.addEventListener("message", current((message) => this.#take(JSON.parse(message.data))));
    socket.addEventListener("close", current((close) => this.#closed(close.code)));
    this.#opening = setTimeout(current(() => this.#closed(0)), OPEN_WITHIN_MS);
  }

  #url() {
    const resume = this.#cursor && `${this.#cursor.epoch}.${resumeFrom(this.#cursor.seq)}`;
    return socketUrl({ device: this.#device, session: this.#session, resume });
  }

  #drop() {
    clearTimeout(this.#opening);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #closed(code) {
    this.#drop();
    if (code === SESSION_NOT_FOUND) {
      this.#become({ kind: "closed" });
      this.#on.lost();
    } else if (code === UNAUTHORISED) {
      this.#become({ kind: "unauthorised" });
    } else if (REFUSED.has(code)) {
      this.#become({ kind: "refused" });
    } else {
      this.#become({ kind: "waiting", retryAt: this.#retry.later() });
      this.#askWhetherAllowed();
    }
  }

  /** A refused handshake looks to a page like a lost connection; plain HTTP tells the difference. */
  async #askWhetherAllowed() {
    const answer = await fetch("/readyz", { headers: authorisation() }).catch(() => null);
    if (answer?.status !== 401 || this.#state.kind !== "waiting") return;
    this.#retry.succeeded();
    this.#become({ kind: "unauthorised" });
  }

  #become(state) {
    this.#state = state;
    this.#on.state(state);
  }

  #take(event) {
    if (event.type === "session.created") this.#session = event.session.id;
    if (!this.#isNews(event)) return;
    this.#settle(event);
    this.#on.event(event);
    if (CAUGHT_UP.has(event.type)) this.#caughtUp();
  }

  /** Moves the cursor. One fact may be told by several events with the same seq; all of them count. */
  #isNews(event) {
    if (event.type === "session.snapshot") this.#cursor = { epoch: event.epoch, seq: event.seq };
    if (event.seq === undefined || CAUGHT_UP.has(event.type) || this.#cursor === null) return true;
    if (event.seq < this.#cursor.seq) return false;
    this.#cursor.seq = event.seq;
    return true;
  }

  #settle(event) {
    this.#unanswered.delete(event.command_id ?? event.error?.event_id);
  }

  #caughtUp() {
    if (this.#state.kind === "connected") return;
    clearTimeout(this.#opening);
    this.#retry.succeeded();
    this.#become({ kind: "connected" });
    for (const event of this.#unanswered.values()) this.#send(event);
  }
}

/** The drop may have fallen between two events of the same fact, so that the last fact is asked for once more. */
function resumeFrom(seq) {
  return Math.max(0, seq - 1);
}
