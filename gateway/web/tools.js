/**
 * What one can do with a message that is there: edit it, have it answered again, go to the ones beside it.
 * Plain buttons in the order of the text, so that the keyboard reaches them.
 */

import { AGAIN, EDIT, siblingText } from "./words.js";

/** Buttons for one message. `act` has edit(), again(), select(step), a step being -1 or 1. */
export function tools(act) {
  const element = document.createElement("div");
  element.className = "tools";
  element.append(
    button("edit", EDIT, null, act.edit),
    button("back", "‹", "Previous version", () => act.select(-1)),
    part("output", "place"),
    button("on", "›", "Next version", () => act.select(1)),
    button("again", AGAIN, null, act.again),
  );
  return element;
}

/** Offer what makes sense for `item`; nothing while it is being said or sent. */
export function offer(element, item, ready) {
  const { siblings } = item;
  element.hidden = !ready;
  const place = element.querySelector(".place");
  place.textContent = siblings ? `${siblings.index + 1}/${siblings.count}` : "";
  place.setAttribute("aria-label", siblings ? siblingText(siblings) : "");
  for (const name of [".back", ".place", ".on"]) element.querySelector(name).hidden = !siblings;
  element.querySelector(".back").disabled = !siblings || siblings.index === 0;
  element.querySelector(".on").disabled = !siblings || siblings.index + 1 === siblings.count;
  element.querySelector(".edit").hidden = item.role !== "user";
  element.querySelector(".again").hidden = item.role !== "assistant";
}

/** Give the focus to a button of `element`, or to its neighbour when that one has no use any more. */
export function focusOn(element, name) {
  const order = { back: [".back", ".on"], on: [".on", ".back"] }[name] ?? [`.${name}`];
  order.map((selector) => element.querySelector(selector)).find((it) => !it.disabled && !it.hidden)?.focus();
}

/** A form in which `text` can be said otherwise. Enter saves, Escape gives up; `done(text)` gets null for that. */
export function editor(text, done) {
  const form = document.createElement("form");
  form.className = "editor";
  const box = document.createElement("textarea");
  box.value = text;
  box.rows = 2;
  box.maxLength = 8000;
  box.setAttribute("aria-label", "Say it otherwise");
  const save = button("save", "Save and answer", null, () => {});
  save.type = "submit";
  form.append(box, save, button("cancel", "Cancel", null, () => done(null)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (box.value.trim()) done(box.value.trim());
  });
  form.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation(); // it does not stop the answer
      done(null);
    } else if (event.key === "Enter" && !event.shiftKey && event.target === box) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  return form;
}

function button(name, text, label, act) {
  const made = part("button", `quiet ${name}`);
  made.type = "button";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function part(tag, name) {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}
