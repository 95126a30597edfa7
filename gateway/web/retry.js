/** When to try again: exponential back-off with jitter, and a timer that can be hurried. Times in milliseconds. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** How long to wait before attempt `tries` (from 0): half of it certain, half random, so that clients spread. */
export function backOffMs(tries, random = Math.random) {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** tries);
  return whole / 2 + (whole / 2) * random();
}

/** One pending attempt. */
export class Retry {
  #attempt;
  #timer = null;
  #tries = 0;

  constructor(attempt) {
    this.#attempt = attempt;
  }

  /** True while an attempt is scheduled. */
  get waiting() {
    return this.#timer !== null;
  }

  /** Schedule the next attempt; returns when it will be made, on the clock of `Date.now()`. */
  later() {
    this.cancel();
    const wait = backOffMs(this.#tries++);
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
    this.#tries = 0;
  }
}
