/**
 * Keeps a conversation connected: `ClientProtocol` on a WebSocket `/v1/realtime` (subprotocol `bargein.v1`) that comes
 * back by itself. One session at a time; another one may be joined.
 */

import { freshId } from "./ids.js";
import { CommandFailed } from "./outbox.js";
import { ClientProtocol } from "./protocol.js";
import { Retry } from "./retry.js";

const OPEN_WITHIN_MS = 10_000;

/** A connection that lasts so long was none that the gateway ends at once: the next attempt is a first one again. */
const STEADY_MS = 10_000;

/** Close codes after which trying again by itself would only be refused again (gateway/protocol/close_codes.py). */
const REFUSED = new Set([4003, 4400]);
const SESSION_NOT_FOUND = 4004;
const UNAUTHORISED = 4401;

export class Link {
  protocol;
  #address;
  #device;
  #on;
  #socket = null;
  #retry = new Retry(() => this.#connect());
  #opening = null;
  #steady = null;
  #waiting = new Map();
  /** Why no connection is tried for; null while one is there, or tried for. */
  #over = "closed";
  #state = { kind: "closed" };

  /**
   * `on.event(event)` gets every server event once; `on.state(state)` gets `{kind, retryAt}` with the kinds connecting,
   * connected, waiting, refused, unauthorised, closed; `on.lost()` is called when the session does not exist (any more).
   */
  constructor(address, device, on) {
    this.#address = address;
    this.#device = device;
    this.#on = on;
    this.protocol = this.#fresh(null);
  }

  get state() {
    return this.#state;
  }

  /** Join a session, or open a new one when `session` is null. Whatever was joined before is left. */
  join(session) {
    this.#leave("closed", "Another session was joined.");
    this.protocol = this.#fresh(session);
    this.#retry.succeeded();
    this.#connect();
  }

  /** Leave for good. */
  close() {
    this.#leave("closed", "The conversation was closed.");
    this.#over = "closed";
    this.#retry.succeeded();
    this.#become({ kind: "closed" });
  }

  /** Connect again without waiting; harmless when connected. */
  hurry() {
    if (!["connected", "connecting", "closed"].includes(this.#state.kind)) this.#retry.now();
  }

  /** The network has changed: what looks open may be dead, so begin anew. */
  renew() {
    if (this.#state.kind !== "closed") this.#retry.now();
  }

  /** Give commands. Each promise keeps what the gateway said to one, or is rejected. Throws when one cannot be given. */
  give(...commands) {
    const begun = [];
    try {
      for (const [type, fields] of commands) begun.push(this.#begin(type, fields));
    } catch (error) {
      for (const { id } of begun) this.#withdraw(id);
      throw error;
    }
    this.#flush();
    return begun.map(({ promise }) => promise);
  }

  #begin(type, fields) {
    if (this.#over) throw new CommandFailed(this.#over, "There is no connection, and none is tried for.");
    const id = this.protocol.command(type, fields);
    const promise = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    return { id, promise };
  }

  /** Never send a command again, nor tell what became of it. */
  #withdraw(id) {
    this.protocol.withdraw(id);
    this.#waiting.delete(id);
  }

  /** Send an event that gets no receipt. False when there is no connection. */
  tell(type, fields) {
    const told = this.protocol.tell(type, fields);
    this.#flush();
    return told;
  }

  #fresh(session) {
    return new ClientProtocol({ device: this.#device, session, newId: freshId });
  }

  #leave(code, message) {
    this.#drop();
    this.protocol.fail(code, message);
    this.#settle();
  }

  #connect() {
    this.#drop();
    this.#over = null;
    this.#become({ kind: "connecting" });
    const { about } = this.protocol; // who came with a client secret goes on by what it was given
    const protocols = this.#address.protocols(about?.resume_token);
    const socket = new WebSocket(this.#address.socket(this.protocol.query()), protocols);
    this.#socket = socket;
    this.protocol.opened();
    // A socket that was replaced keeps firing; only the current one counts.
    const current = (act) => (event) => {
      if (this.#socket === socket) act(event);
    };
    socket.addEventListener("message", current((message) => this.#take(message.data)));
    socket.addEventListener("close", current((close) => this.#closed(close.code)));
    this.#opening = setTimeout(current(() => this.#closed(0)), OPEN_WITHIN_MS);
  }

  #drop() {
    clearTimeout(this.#opening);
    clearTimeout(this.#steady);
    const socket = this.#socket;
    this.#socket = null;
    this.protocol.lost();
    socket?.close();
  }

  #closed(code) {
    this.#drop();
    if (code === SESSION_NOT_FOUND) {
      this.#end({ kind: "closed" }, "session_not_found", "There is no session with this id.");
      this.#on.lost();
    } else if (code === UNAUTHORISED && !this.#address.renews) {
      this.#end({ kind: "unauthorised" }, "invalid_api_key", "The gateway asks for another token.");
    } else if (REFUSED.has(code)) {
      this.#end({ kind: "refused" }, "gateway_refused", "The gateway does not take this client.");
    } else {
      this.#become({ kind: "waiting", retryAt: this.#retry.later(this.protocol.retryAfterMs) });
      this.#askWhetherAllowed();
    }
  }

  #end(state, code, message) {
    this.#retry.cancel();
    this.#over = code;
    this.protocol.fail(code, message);
    this.#settle();
    this.#become(state);
  }

  /** A refused handshake looks to a page like a lost connection; plain HTTP tells the difference, and when to return. */
  async #askWhetherAllowed() {
    const answer = await fetch(this.#address.http("/readyz"), { headers: this.#address.headers }).catch(() => null);
    if (this.#state.kind !== "waiting") return;
    if (answer?.status === 401) {
      this.#retry.succeeded();
      this.#end({ kind: "unauthorised" }, "invalid_api_key", "The gateway asks for its token.");
    } else if (answer?.headers.has("Retry-After")) {
      const hintMs = 1000 * Number(answer.headers.get("Retry-After"));
      if (hintMs > 0) this.#become({ kind: "waiting", retryAt: this.#retry.later(hintMs) });
    }
  }

  #become(state) {
    this.#state = state;
    this.#on.state(state);
  }

  #take(text) {
    const protocol = this.protocol;
    const events = protocol.receive(text);
    this.#settle();
    for (const event of events) this.#on.event(event);
    if (this.protocol !== protocol) return; // another session was joined meanwhile
    if (protocol.caughtUp && this.#state.kind !== "connected") this.#caughtUp();
    this.#flush();
  }

  #caughtUp() {
    clearTimeout(this.#opening);
    this.#steady = setTimeout(() => this.#retry.succeeded(), STEADY_MS);
    this.#become({ kind: "connected" });
  }

  #flush() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const due = this.protocol.toSend(Date.now());
    this.#settle();
    for (const text of due) this.#socket.send(text);
  }

  #settle() {
    for (const [id, result] of this.protocol.settled()) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (result instanceof Error) waiting?.reject(result);
      else waiting?.resolve(result);
    }
  }
}
