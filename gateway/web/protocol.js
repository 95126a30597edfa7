/**
 * One conversation from the client's side, without any I/O: text in, events and text to send out.
 *
 * Whoever carries it opens a connection at what `query()` asks for, calls `opened()`, hands in every message
 * (`receive`), sends what `toSend` gives after each call, and tells when the connection is `lost()`. Times are
 * milliseconds of any one clock. The Python client does the same (gateway/client/protocol.py), and both follow the
 * scripts of tests/data/client.
 */

import { EMPTY, heldOf, lacks, reduce } from "./conversation.js";
import { CommandFailed, CommandRejected, MAX_EVENT_BYTES, Outbox } from "./outbox.js";

/** Client events that are no commands: they are worth sending now or not at all, and get no receipt. */
const UNANSWERED = new Set([
  "input_audio_buffer.append",
  "input_audio_buffer.commit",
  "input_audio_buffer.clear",
  "input_audio_buffer.push_to_talk",
  "input_audio_buffer.mute",
  "conversation.item.retrieve",
  "conversation.tree.retrieve",
  "playback.report",
  "session.resume",
]);

const RECEIPTS = new Set(["command.accepted", "command.rejected", "error"]);

export class ClientProtocol {
  /** What was folded so far; see conversation.js. */
  conversation = EMPTY;

  /** `{epoch, seq}` of the last event of the log that was handled, or null. */
  cursor = null;

  /** True while a connection has told everything up to now. */
  caughtUp = false;

  /** Who answers, speaks and listens there: `session.bargein` of the last greeting, or null. */
  about = null;

  /** When the gateway wants this client back, once the connection is lost; 0 when it did not say. */
  retryAfterMs = 0;

  #newId;
  #outbox;
  #send = [];
  #settled = [];
  #resuming = false;

  /** `session` null opens a new one with the first connection; `newId(prefix)` gives ids that nobody else has. */
  constructor({ device, session = null, newId, capacity = undefined }) {
    this.device = device;
    this.session = session;
    this.#newId = newId;
    this.#outbox = new Outbox(capacity);
  }

  // --- connections ---

  /** What the next connection asks for. */
  query() {
    const asked = { device: this.device };
    if (this.session !== null) asked.session = this.session;
    if (this.cursor !== null) asked.resume = `${this.cursor.epoch}.${this.cursor.seq}`;
    return asked;
  }

  /** A connection is open; nothing is sent on it before it has told where it stands. */
  opened() {
    this.lost();
    this.retryAfterMs = 0;
  }

  /** The connection is gone. What was not answered waits for the next one. */
  lost() {
    this.caughtUp = this.#resuming = false;
    this.#send = [];
    this.#outbox.again();
  }

  /** Messages to send now, in this order. Each is given once. */
  toSend(now) {
    const due = this.#send;
    this.#send = [];
    if (!this.caughtUp) return due;
    for (const id of this.#outbox.expired(now)) this.#giveUp(id, "key_expired", "The command is too old to be sent again safely.");
    return [...due, ...this.#outbox.send(now)];
  }

  /** `[id, result]` of commands of which it is now known what became of them: a receipt, or an Error. Each once. */
  settled() {
    const done = this.#settled;
    this.#settled = [];
    return done;
  }

  // --- what the program says ---

  /** Give a command, to be applied once; returns its id. Throws CommandFailed, and then nothing of it is sent, ever. */
  command(type, fields = {}) {
    if (UNANSWERED.has(type)) throw new TypeError(`${type} is no command: it gets no receipt`);
    if (this.#outbox.full) throw new CommandFailed("outbox_full", "Too many commands wait for an answer.");
    const id = this.#newId("evt_");
    const text = JSON.stringify({ type, event_id: id, idempotency_key: id, ...fields });
    if (new TextEncoder().encode(text).length > MAX_EVENT_BYTES) {
      throw new CommandFailed("event_too_large", `A command may have ${MAX_EVENT_BYTES} bytes at most.`);
    }
    this.#outbox.put(id, text);
    return id;
  }

  /** Say what is only worth saying now. False when there is no connection. */
  tell(type, fields = {}) {
    if (this.caughtUp) this.#send.push(JSON.stringify({ type, ...fields }));
    return this.caughtUp;
  }

  /** Never send a command again. True when it had been sent and not answered. */
  withdraw(id) {
    const entry = this.#outbox.take(id);
    return entry !== null && entry.since !== null;
  }

  /** Nothing will be answered any more: every command has failed. */
  fail(code, message) {
    for (const id of this.#outbox.ids) this.#giveUp(id, code, message);
  }

  #giveUp(id, code, message) {
    this.#settled.push([id, new CommandFailed(code, message, this.withdraw(id))]);
  }

  /** Fold what only this client knows: a `local.*` event. */
  apply(event) {
    this.conversation = reduce(this.conversation, event);
  }

  // --- what the gateway says ---

  /** Take one message. What was told before, and what came after a gap, is left out: it is asked for again. */
  receive(text) {
    const event = decoded(text);
    this.#settle(event);
    if (typeof event.retry_after_ms === "number") this.retryAfterMs = event.retry_after_ms;
    if (event.type === "session.created") this.#greeted(event);
    else if (["session.snapshot", "session.resumed", "session.reset"].includes(event.type)) this.#catchUp(event);
    else if (!this.#isNext(event)) return RECEIPTS.has(event.type) ? [event] : [];
    try {
      this.apply(event);
    } catch {
      // A known type that holds what is not known here: it is handed on as it is.
    }
    return [event];
  }

  #greeted(event) {
    this.session = event.session?.id ?? this.session;
    this.about = event.session?.bargein ?? null;
  }

  #catchUp(event) {
    if (event.type === "session.reset") {
      this.cursor = null; // void; a snapshot follows
      return;
    }
    this.#resuming = false;
    if (event.type === "session.snapshot") this.cursor = { epoch: event.epoch, seq: event.seq };
    this.caughtUp = true;
  }

  /** False for what was told before, and for what comes after a gap. */
  #isNext(event) {
    if (this.#resuming) return false;
    if (this.cursor === null) return true;
    if (event.seq === undefined) return !this.#gap(lacks(this.conversation, event));
    if (event.seq <= this.cursor.seq || this.#gap(event.prev_seq > this.cursor.seq)) return false;
    this.cursor = { ...this.cursor, seq: event.seq };
    return true;
  }

  /** Ask for what is missing, if something is. */
  #gap(found) {
    if (!found) return false;
    this.#resuming = true;
    this.#send.push(JSON.stringify({ type: "session.resume", ...this.cursor, open: heldOf(this.conversation) }));
    return true;
  }

  #settle(event) {
    const [id, result] = answer(event);
    if (id && this.#outbox.take(id) !== null) this.#settled.push([id, result]);
  }
}

/** The command that `event` answers, and how. */
function answer(event) {
  if (event.type === "command.accepted") {
    return [event.command_id, { id: event.command_id, seq: event.applied_seq, duplicate: event.duplicate }];
  }
  if (event.type === "command.rejected") {
    return [event.command_id, new CommandRejected(event.code, event.message, event.param)];
  }
  if (event.type !== "error" || !event.error?.event_id) return [null, null];
  return [event.error.event_id, new CommandRejected(event.error.code, event.error.message, event.error.param)];
}

/** What cannot be read is an event without a type. */
function decoded(text) {
  try {
    const event = JSON.parse(text);
    return typeof event?.type === "string" ? event : { type: "" };
  } catch {
    return { type: "" };
  }
}
