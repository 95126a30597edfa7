/** Draws the conversation as a list: one element an item, changed only where the item has changed. */

import { editor, focusOn, offer, tools } from "./tools.js";
import { markText, whoText } from "./words.js";

export class Transcript {
  #list;
  #device;
  #on;
  #shown = new Map();

  /** The message that takes the place of one whose button was pressed, and that button's name; null for none. */
  #expected = null;

  /** `on` has edit(id, text), which returns the id of the new message, again(id) and select(id). */
  constructor(list, device, on) {
    this.#list = list;
    this.#device = device;
    this.#on = on;
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
    this.#keepFocus();
  }

  /** The focus goes on from a message that left to the one in its place. */
  #keepFocus() {
    const there = this.#expected && this.#shown.get(this.#expected.id);
    if (!there?.item.siblings) return;
    if (document.activeElement === document.body) focusOn(there.element, this.#expected.button);
    this.#expected = null;
  }

  #select(id, step) {
    const { siblings } = this.#shown.get(id).item;
    const wanted = siblings.ids[siblings.index + step];
    if (wanted === undefined) return;
    this.#expected = { id: wanted, button: step < 0 ? "back" : "on" };
    this.#on.select(wanted);
  }

  #edit(id) {
    const { element, item } = this.#shown.get(id);
    element.dataset.editing = "";
    const form = editor(item.text, (text) => {
      delete element.dataset.editing;
      form.remove();
      if (text !== null && text !== item.text) this.#expected = { id: this.#on.edit(id, text), button: "edit" };
      focusOn(element, "edit");
    });
    element.append(form);
    form.querySelector("textarea").focus();
  }

  #place(element, index) {
    const there = this.#list.children[index];
    if (there !== element) this.#list.insertBefore(element, there ?? null);
  }

  #element(item) {
    const known = this.#shown.get(item.id);
    if (known?.item === item) return known.element;
    const element = known?.element ?? this.#blank(item);
    fill(element, item, !item.device || item.device === this.#device);
    this.#shown.set(item.id, { item, element });
    return element;
  }

  #blank({ id, role }) {
    const element = document.createElement("li");
    element.className = "turn";
    element.dataset.role = role;
    element.dataset.id = id;
    const act = { edit: () => this.#edit(id), again: () => this.#on.again(id), select: (step) => this.#select(id, step) };
    element.append(part("p", "who"), part("p", "said"), part("p", "mark"), tools(act));
    element.querySelector(".said").append(part("span", "heard"), part("del", "unheard"));
    return element;
  }
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
  offer(element.querySelector(".tools"), item, element.dataset.state === "done");
}

function put(element, selector, text) {
  const target = element.querySelector(selector);
  if (target.textContent !== text) target.textContent = text;
  target.hidden = text === "";
}
