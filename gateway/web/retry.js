/** When to try again: exponential, with full jitter, and a timer that can be hurried. Times in milliseconds. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** How long each attempt waits. Pure but for `random`, which gives anything from 0 up to 1. */
export class Backoff {
  #first;
  #longest;
  #random;
  #tries = 0;

  constructor({ firstMs = FIRST_MS, longestMs = LONGEST_MS, random = Math.random } = {}) {
    this.#first = firstMs;
    this.#longest = longestMs;
    this.#random = random;
  }

  /** The wait before the next attempt. What the server asks for (`hintMs`) is waited in full, and spread on top. */
  next(hintMs = 0) {
    const whole = Math.min(this.#longest, this.#first * 2 ** Math.min(this.#tries, 30));
    this.#tries += 1;
    return Math.max(0, hintMs) + whole * this.#random();
  }

  /** It worked: the next failure is a first one again. */
  succeeded() {
    this.#tries = 0;
  }
}

/** One pending attempt. */
export class Retry {
  #attempt;
  #backoff;
  #timer = null;

  constructor(attempt, backoff = new Backoff()) {
    this.#attempt = attempt;
    this.#backoff = backoff;
  }

  /** True while an attempt is scheduled. */
  get waiting() {
    return this.#timer !== null;
  }

  /** Schedule the next attempt; returns when it will be made, on the clock of `Date.now()`. */
  later(hintMs = 0) {
    this.cancel();
    const wait = this.#backoff.next(hintMs);
    this.#timer = setTimeout(() => this.now(), wait);
    return Date.now() + wait;
  }

  /** Make the attempt at once. */
  now() {
    this.cancel();
    this.#attempt();
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** It worked: the next failure is a first one again. */
  succeeded() {
    this.cancel();
    this.#backoff.succeeded();
  }
}
