// What the drivers in JavaScript share: what was heard, a microphone, a loudspeaker and the report. For Node and pages.

export const RATE_HZ = 24_000;
export const PATIENCE_MS = 20_000;
const FRAME = (RATE_HZ / 50) * 2; // bytes of 20 ms

/** A case that did not go as it should; its words go into the table. */
export class Failed extends Error {}

/** A case that this client has not got. */
export class NotApplicable extends Error {}

export function ensure(holds, otherwise) {
  if (!holds) throw new Failed(otherwise);
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Every server event, in order, with a place up to which they have been looked at. */
export class Heard {
  events = [];
  #place = 0;
  #waiting = () => {};

  add(event) {
    this.events.push(event);
    this.#waiting();
  }

  /** The next event of a type, of a response if one is named; what came before it counts as looked at. */
  async until(type, response = null) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const place = this.events.findIndex(
        (event, at) => at >= this.#place && event.type === type && response === (response && event.response_id),
      );
      if (place >= 0) {
        this.#place = place + 1;
        return this.events[place];
      }
      const left = end - Date.now();
      ensure(left > 0, `no ${type} came; there were ${this.#types()}`);
      let timer;
      await new Promise((done) => {
        this.#waiting = done;
        timer = setTimeout(done, left);
      });
      clearTimeout(timer);
    }
  }

  here() {
    this.#place = this.events.length;
  }

  /** Nothing has been looked at yet. */
  rewind() {
    this.#place = 0;
  }

  /** Events of a type that came after `first`. */
  since(first, type) {
    return this.events.slice(this.events.indexOf(first)).filter((event) => event.type === type);
  }

  get errors() {
    return this.events.filter((event) => event.type === "error").map((event) => String(event.error?.code));
  }

  #types() {
    return [...new Set(this.events.slice(this.#place).map((event) => event.type))].join(", ") || "none";
  }
}

/** Sends a frame each 20 ms, as microphones do: silence, unless something is being said. */
export class Microphone {
  #saying = new Uint8Array();
  #timer = null;

  constructor(send) {
    const began = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      for (; sent < (performance.now() - began) / 20; sent += 1) {
        const frame = new Uint8Array(FRAME);
        frame.set(this.#saying.subarray(0, FRAME));
        this.#saying = this.#saying.subarray(FRAME);
        send(frame);
      }
    }, 10);
  }

  say(sound) {
    this.#saying = sound;
  }

  off() {
    clearInterval(this.#timer);
  }
}

/** A loudspeaker that plays what comes as it comes: it knows how much of an answer was heard. */
export class Played {
  item = null;
  #began = 0;
  #bytes = 0;

  take(item, bytes) {
    if (item !== this.item) {
      this.item = item;
      this.#began = performance.now();
      this.#bytes = 0;
    }
    this.#bytes += bytes;
  }

  get ms() {
    return Math.floor(Math.min(performance.now() - this.#began, (this.#bytes * 1000) / (RATE_HZ * 2)));
  }
}

/** Writes down how each case went. */
export class Report {
  #write;

  constructor(write) {
    this.#write = write;
  }

  async case(name, run) {
    try {
      const note = await run();
      this.#tell(name, "passed", note ?? "");
    } catch (error) {
      if (error instanceof NotApplicable) this.#tell(name, "not_applicable", error.message);
      else this.#tell(name, "failed", error instanceof Failed ? error.message : `${error?.name}: ${error?.message}`);
    }
  }

  #tell(name, outcome, reason) {
    this.#write(JSON.stringify({ case: name, outcome, reason: reason.replaceAll(/\s+/g, " ").slice(0, 400) }));
  }
}
