/** Tells that somebody types: at once, again while it goes on, and when nothing is left. The gateway forgets by itself. */

const REMIND_AFTER_MS = 3000;

export class Typing {
  #told = -Infinity;
  #tell;

  /** `tell(type)` is called with the type of an event. */
  constructor(box, tell) {
    this.#tell = tell;
    box.addEventListener("input", () => (box.value.trim() ? this.#goesOn() : this.#ends()));
  }

  /** What was typed was sent, which tells it. */
  sent() {
    this.#told = -Infinity;
  }

  #goesOn() {
    if (performance.now() - this.#told < REMIND_AFTER_MS) return;
    this.#told = performance.now();
    this.#tell("typing.start");
  }

  #ends() {
    if (this.#told === -Infinity) return;
    this.#told = -Infinity;
    this.#tell("typing.stop");
  }
}
