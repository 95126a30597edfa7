/**
 * Commands that have no answer yet. Pure.
 *
 * Each is sent again after a reconnect, in its order and under the same idempotency key, so that it is applied once.
 * What was reported as failed is gone from here, and so is never sent later.
 */

export const MAX_COMMANDS = 256;

/** Of one command, in bytes of JSON: what a gateway takes, unless it is told otherwise. */
export const MAX_EVENT_BYTES = 64 * 1024;

/** A gateway knows an idempotency key for 24 hours. What is older could be applied twice. Milliseconds. */
export const KEY_LIFE_MS = 23 * 3_600_000;

/** The gateway refused a command; it changed nothing. `code` is the protocol's, `param` the field at fault or null. */
export class CommandRejected extends Error {
  constructor(code, message, param = null) {
    super(message);
    this.name = "CommandRejected";
    this.code = code;
    this.param = param;
  }
}

/**
 * No answer came, and the command is not sent (again) from now on. `uncertain` is true when it was sent before, so that
 * the gateway may have applied it. Codes: outbox_full, event_too_large, key_expired, closed, and why a connection ended.
 */
export class CommandFailed extends Error {
  constructor(code, message, uncertain = false) {
    super(message);
    this.name = "CommandFailed";
    this.code = code;
    this.uncertain = uncertain;
  }
}

export class Outbox {
  #capacity;
  #entries = new Map();

  constructor(capacity = MAX_COMMANDS) {
    this.#capacity = capacity;
  }

  /** True when nothing more is taken. */
  get full() {
    return this.#entries.size >= this.#capacity;
  }

  /** The commands in it, oldest first. */
  get ids() {
    return [...this.#entries.keys()];
  }

  /** Keep a command until it is taken out. */
  put(id, text) {
    this.#entries.set(id, { text, since: null, due: true });
  }

  /** Take a command out: it was answered, or given up. Null when it is not there (any more). */
  take(id) {
    const entry = this.#entries.get(id) ?? null;
    this.#entries.delete(id);
    return entry;
  }

  /** The connection is gone: what it was sent is to be sent on the next one too. */
  again() {
    for (const entry of this.#entries.values()) entry.due = true;
  }

  /** What is to be sent on this connection. Each is given once. */
  send(now) {
    const due = [...this.#entries.values()].filter((entry) => entry.due);
    for (const entry of due) {
      entry.due = false;
      entry.since ??= now;
    }
    return due.map((entry) => entry.text);
  }

  /** Commands that would be sent under keys which the gateway may have forgotten. */
  expired(now) {
    const old = ([, entry]) => entry.due && entry.since !== null && now - entry.since > KEY_LIFE_MS;
    return [...this.#entries].filter(old).map(([id]) => id);
  }
}
