/**
 * A client for Bargein, for pages. No dependencies; docs/clients.md shows how to use it.
 *
 * ```js
 * import { connect } from "https://gateway.example/web/bargein.js";
 * const conversation = await connect("https://gateway.example", { token });
 * conversation.addEventListener("items", () => draw(conversation.items));
 * await conversation.send("Tell me a story.", { onActive: "interrupt" });
 * ```
 *
 * @typedef {object} Item A message of the conversation.
 * @property {string} id
 * @property {"user" | "assistant" | "system" | "tool"} role
 * @property {"completed" | "incomplete" | "in_progress"} status
 * @property {string} text What was typed, said or heard.
 * @property {boolean} spoken
 * @property {string | null} unheard The rest of an answer that was cut; null when it was not.
 * @property {string} seen What of `unheard` had been shown as text.
 * @property {string} device
 * @property {boolean} pending True while the gateway has not confirmed it.
 *
 * @typedef {object} Receipt A command was applied and stored.
 * @property {string} id The command's.
 * @property {number} seq The log's last then.
 * @property {boolean} duplicate It, or another that wants the same, had been applied before.
 * @property {boolean} withoutEffect There was nothing to do.
 *
 * @typedef {object} Options
 * @property {string | null} [session] The session to join; null opens a new one.
 * @property {string} [device] An id that stays the same when this device comes back.
 * @property {string | (() => string)} [token] The gateway's, or a function that is asked before each connection.
 */

import { Address } from "./address.js";
import { Call } from "./call.js";
import { typed } from "./conversation.js";
import { freshId } from "./ids.js";
import { Link } from "./link.js";
import { CommandFailed, CommandRejected } from "./outbox.js";

export { CommandFailed, CommandRejected, freshId };

/** The gateway does not let this page in, or does not know the session. `code` says which. */
export class ConnectionRefused extends Error {
  constructor(code, message) {
    super(message);
    this.name = "ConnectionRefused";
    this.code = code;
  }
}

/**
 * Join a session or open a new one, and wait until the conversation so far is there. While the gateway cannot be
 * reached this goes on trying. Rejects with ConnectionRefused.
 * @param {string} url The gateway's.
 * @param {Options} [options]
 * @returns {Promise<Conversation>}
 */
export async function connect(url, options = {}) {
  const conversation = new Conversation(url, options);
  await conversation.join(options.session ?? null);
  return conversation;
}

/**
 * One device's view of a session. Events: every server event under its own type, and under `event` (`detail` is the
 * event as it came); `items` when the conversation has changed; `state` (`detail` is `state`); `lost` when the session
 * does not exist (any more).
 */
export class Conversation extends EventTarget {
  #link;
  #address;
  #ready = null;
  #shown = null;

  /** Connects nothing yet: see `join`, or take `connect`. */
  constructor(url, { device = freshId("web-"), token = "" } = {}) {
    super();
    this.device = device;
    this.#address = new Address(url, token);
    this.#link = new Link(this.#address, device, {
      event: (event) => this.#told(event),
      state: (state) => this.#became(state),
      lost: () => {
        this.#refuse("session_not_found", "There is no session with this id.");
        this.#emit("lost");
      },
    });
  }

  /** The session's id, to join it from elsewhere; null before the first connection. @returns {string | null} */
  get session() {
    return this.#link.protocol.session;
  }

  /** The conversation, oldest first; never changed, only replaced. @returns {Item[]} */
  get items() {
    return this.#link.protocol.conversation.items;
  }

  /** Ids of the responses that are being generated. @returns {string[]} */
  get running() {
    return Object.keys(this.#link.protocol.conversation.answers);
  }

  /** Who answers, speaks and listens there: `session.bargein`, or null. */
  get about() {
    return this.#link.protocol.about;
  }

  /** `{kind, retryAt}`: connecting, connected, waiting (until `retryAt`), refused, unauthorised, closed. */
  get state() {
    return this.#link.state;
  }

  // --- the connection ---

  /** Join a session, or open a new one (null). Resolves when the conversation so far is there. */
  join(session = null) {
    this.#refuse("closed", "Another session was joined.");
    let settle;
    const promise = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    promise.catch(() => {}); // who does not wait for it is told by `state` and `lost`
    this.#ready = settle;
    this.#link.join(session);
    this.#changed();
    return promise;
  }

  /** Leave for good; nothing is cancelled by that. */
  close() {
    this.#link.close();
    this.#refuse("closed", "The conversation was closed.");
  }

  /** Connect again without waiting; harmless when connected. */
  hurry() {
    this.#link.hurry();
  }

  /** The network has changed: what looks open may be dead. */
  renew() {
    this.#link.renew();
  }

  // --- what can be done ---

  /**
   * Say something as the user, and ask for an answer. It stands in `items` at once, `pending`.
   * @param {string} text
   * @param {{onActive?: string} & Record<string, unknown>} [options] What becomes of an answer that is running, and
   *   options of this answer (`instructions`, `output_modalities`, `metadata`).
   * @returns {Promise<{item: string, receipt: Receipt}>} Rejects with CommandRejected or CommandFailed. When the answer
   *   is refused, the message stands.
   */
  async send(text, { onActive, ...response } = {}) {
    const item = message("user", text);
    const asked = { on_active: onActive, response: Object.keys(response).length > 0 ? response : undefined };
    const [saying, asking] = this.#link.give(["conversation.item.create", { item }], ["response.create", asked]);
    asking.catch(() => {}); // a message that is refused is told first
    this.#fold({ type: "local.submitted", item: typed(item.id, text, this.device) });
    await this.#said(item, saying);
    return { item: item.id, receipt: await asking };
  }

  /** Put a message into the conversation, and ask for no answer. @returns {Promise<{item: string, receipt: Receipt}>} */
  async add(text, role = "user") {
    const item = message(role, text);
    return { item: item.id, receipt: await this.command("conversation.item.create", { item }) };
  }

  /** Stop an answer, or whatever generates or sounds. @returns {Promise<Receipt>} */
  cancel(responseId) {
    return this.command("response.cancel", { response_id: responseId });
  }

  /**
   * Redirect an answer, the one that runs unless it is named. The message joins the conversation once the answer goes on
   * with it (`response.steer.consumed`). @returns {Promise<{item: string, receipt: Receipt}>}
   */
  async steer(text, { responseId, ...fields } = {}) {
    const item = message("user", text);
    const asked = { previous_response_id: responseId, input: [item], ...fields };
    return { item: item.id, receipt: await this.command("response.steer", asked) };
  }

  /** Hold the answer on all devices. @returns {Promise<Receipt>} */
  pause() {
    return this.command("output_audio_buffer.pause");
  }

  /** Let a held answer go on. @returns {Promise<Receipt>} */
  resume() {
    return this.command("output_audio_buffer.resume");
  }

  /** Take a message out of the conversation. @returns {Promise<Receipt>} */
  delete(itemId) {
    return this.command("conversation.item.delete", { item_id: itemId });
  }

  /**
   * Give any command of the protocol, which is applied once. One that finds no connection waits for it.
   * @returns {Promise<Receipt>} Rejects with CommandRejected or CommandFailed.
   */
  async command(type, fields = {}) {
    const [answer] = this.#link.give([type, fields]);
    return answer;
  }

  /** Send an event that gets no receipt. False, and it is lost, while there is no connection. */
  tell(type, fields = {}) {
    return this.#link.tell(type, fields);
  }

  /**
   * The voice of this conversation, by WebRTC, or by a WebSocket where UDP does not get through. `on` is what `Call`
   * tells; with `on.sound(stream)` the answer is played. Begin with `start(microphoneId)`, from a click.
   * @returns {Call}
   */
  voice(on) {
    const place = () => ({ address: this.#address, session: this.session, device: this.device });
    return new Call(place, { busy: () => this.running.length > 0, ...on });
  }

  // --- what is told ---

  #told(event) {
    this.#emit("event", event);
    if (event.type) this.#emit(event.type, event);
    this.#changed();
  }

  #became(state) {
    if (state.kind === "connected") this.#ready?.resolve();
    if (state.kind === "refused") this.#refuse("gateway_refused", "The gateway does not take this client.");
    if (state.kind === "unauthorised") this.#refuse("invalid_api_key", "The gateway asks for its token.");
    this.#emit("state", state);
  }

  #refuse(code, text) {
    this.#ready?.reject(new ConnectionRefused(code, text));
    this.#ready = null;
  }

  async #said(item, saying) {
    try {
      await saying;
    } catch (error) {
      this.#fold({ type: "local.withdrawn", item_id: item.id });
      throw error;
    }
  }

  #fold(event) {
    this.#link.protocol.apply(event);
    this.#changed();
  }

  #changed() {
    const { conversation } = this.#link.protocol;
    if (conversation === this.#shown) return;
    this.#shown = conversation;
    this.#emit("items");
  }

  #emit(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function message(role, text) {
  const content = [{ type: role === "assistant" ? "output_text" : "input_text", text }];
  return { id: freshId("item_"), type: "message", role, content };
}
