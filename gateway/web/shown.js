/**
 * The status as a person can follow it: gaps of an instant between two steps are left out, and what happens in an
 * instant (a cut, a false alarm) stays readable for a moment. The trail holds the last steps, oldest first.
 */

const NOTE_FOR_MS = 800;
const REST_AFTER_MS = 250;
const TRAIL_LENGTH = 8;

/** Statuses that are shown only when they last. */
const RESTING = new Set(["ready", "listening"]);

/** Statuses that are shown at once, whatever has just happened. */
const PRESSING = new Set(["suspected", "confirmed"]);

export class ShownStatus {
  trail = ["ready"];
  #settled = "ready";
  #note = null;
  #noteTimer = null;
  #restTimer = null;
  #changed;

  /** `changed()` is called when time alone has changed what is to be shown. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** The status to show. */
  get now() {
    if (this.#note === null || PRESSING.has(this.#settled)) return this.#settled;
    return this.#note === "resumed" && this.#settled !== "speaking" ? this.#settled : this.#note;
  }

  /** The floor's status is `status`. */
  follow(status) {
    if (!RESTING.has(status)) this.#settle(status);
    else if (!RESTING.has(this.#settled)) this.#restTimer ??= setTimeout(() => this.#rest(status), REST_AFTER_MS);
    else this.#settle(status);
  }

  /** `note` happened just now. */
  flash(note) {
    this.#remember(note);
    this.#note = note;
    clearTimeout(this.#noteTimer);
    this.#noteTimer = setTimeout(() => {
      this.#note = null;
      this.#changed();
    }, NOTE_FOR_MS);
  }

  /** Forget everything: another conversation begins. */
  reset() {
    clearTimeout(this.#noteTimer);
    this.#note = null;
    this.#settle("ready");
    this.trail = ["ready"];
  }

  #rest(status) {
    this.#settle(status);
    this.#changed();
  }

  #settle(status) {
    clearTimeout(this.#restTimer);
    this.#restTimer = null;
    this.#settled = status;
    this.#remember(status);
  }

  #remember(step) {
    if (this.trail.at(-1) !== step) this.trail = [...this.trail, step].slice(-TRAIL_LENGTH);
  }
}
