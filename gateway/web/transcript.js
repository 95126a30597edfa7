/** Draws the conversation as a list: one element an item, changed only where the item has changed. */

import { markText, whoText } from "./words.js";

export class Transcript {
  #list;
  #device;
  #shown = new Map();

  constructor(list, device) {
    this.#list = list;
    this.#device = device;
  }

  /** Make the list show `items`, in this order. */
  show(items) {
    const wanted = new Set(items.map((item) => item.id));
    for (const [id, { element }] of this.#shown) {
      if (wanted.has(id)) continue;
      element.remove();
      this.#shown.delete(id);
    }
    items.forEach((item, index) => this.#place(this.#element(item), index));
  }

  #place(element, index) {
    const there = this.#list.children[index];
    if (there !== element) this.#list.insertBefore(element, there ?? null);
  }

  #element(item) {
    const known = this.#shown.get(item.id);
    if (known?.item === item) return known.element;
    const element = known?.element ?? blank(item);
    fill(element, item, !item.device || item.device === this.#device);
    this.#shown.set(item.id, { item, element });
    return element;
  }
}

function blank(item) {
  const element = document.createElement("li");
  element.className = "turn";
  element.dataset.role = item.role;
  element.dataset.id = item.id;
  element.append(part("p", "who"), part("p", "said"), part("p", "mark"));
  element.querySelector(".said").append(part("span", "heard"), part("del", "unheard"));
  return element;
}

function part(tag, name) {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}

function fill(element, item, mine) {
  const streaming = item.role === "assistant" && item.status === "in_progress";
  const waiting = item.awaited || (streaming && !item.text);
  element.dataset.state = waiting ? "waiting" : streaming ? "streaming" : item.pending ? "pending" : "done";
  element.setAttribute("aria-busy", String(streaming || item.awaited)); // read out once, when it is whole
  put(element, ".who", whoText(item, mine));
  put(element, ".heard", waiting ? "…" : item.text);
  put(element, ".unheard", item.unheard ?? "");
  put(element, ".mark", markText(item));
}

function put(element, selector, text) {
  const target = element.querySelector(selector);
  if (target.textContent !== text) target.textContent = text;
  target.hidden = text === "";
}
