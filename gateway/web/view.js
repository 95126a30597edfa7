/** The page's elements: shows a model, and tells what the user does. Knows no protocol. */

import { share } from "./meter.js";
import { showPeople } from "./people.js";
import { Transcript } from "./transcript.js";
import { CONNECTION, STATUS, STEP, TALK, TEXT_ALONE, aboutText, countdownText, modeText } from "./words.js";

const COUNT_DOWN_MS = 250;
const NEAR_END_PX = 80;
const NOTICES_AT_MOST = 3;

const byId = (id) => document.getElementById(id);

export class View {
  #transcript;
  #shown = null;
  #countDown = null;
  #following = true;

  /**
   * `on` has talk, send(text), stop, fresh, link, reconnect, choose(microphoneId), mute, here, upgrade, and for messages
   * edit(id, text), again(id), select(id).
   */
  constructor(device, on) {
    this.#transcript = new Transcript(byId("transcript"), device, on);
    this.#listen(on);
    this.#listenToText(on);
    this.#listenToScroll();
  }

  /** Show `model`; see `app.js` for its fields. */
  show(model) {
    this.#shown = model;
    this.#showConnection();
    this.#showFloor(model);
    this.#showVoice(model);
    showPeople(byId("people"), model.company);
    byId("welcome").hidden = model.items.length > 0;
    this.#transcript.show(model.items);
    if (this.#following) toEnd();
    if (model.about) put(byId("about"), aboutText(model.about));
  }

  /** Show how loud the microphone is (RMS, 0 to 1). */
  showLevel(rms) {
    const level = share(rms);
    byId("level").style.setProperty("--level", level.toFixed(3));
    byId("level").setAttribute("aria-valuenow", String(Math.round(level * 100)));
  }

  /** Offer `microphones` ([{id, label}]) with `chosen` selected. */
  showMicrophones(microphones, chosen) {
    const options = [{ id: "", label: "Default" }, ...microphones].map(({ id, label }) => new Option(label, id));
    byId("microphone").replaceChildren(...options);
    byId("microphone").value = microphones.some(({ id }) => id === chosen) ? chosen : "";
  }

  /** Tell something once, until it is dismissed. `code` is "" for what is no error. */
  notify(message, code = "") {
    const same = [...byId("notices").children].find((notice) => notice.dataset.message === message);
    same?.remove();
    byId("notices").append(notice(message, code));
    while (byId("notices").children.length > NOTICES_AT_MOST) byId("notices").firstChild.remove();
  }

  #listen(on) {
    const pressed = { talk: on.talk, stop: on.stop, fresh: on.fresh, link: on.link, reconnect: on.reconnect, mute: on.mute, here: on.here, upgrade: on.upgrade };
    for (const [id, act] of Object.entries(pressed)) byId(id).addEventListener("click", () => act());
    for (const button of document.querySelectorAll("[data-say]")) {
      button.addEventListener("click", () => {
        on.send(button.dataset.say);
        byId("scroll").focus(); // the button goes away; a focused text box would open a phone's keyboard
      });
    }
    byId("microphone").addEventListener("change", (event) => on.choose(event.target.value));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) on.stop();
    });
  }

  #listenToText(on) {
    const box = byId("text");
    const send = () => {
      const text = box.value.trim();
      if (text) on.send(text);
      box.value = "";
      box.focus();
    };
    byId("form").addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    });
  }

  #listenToScroll() {
    const scroll = byId("scroll");
    scroll.addEventListener("scroll", () => {
      this.#following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;
      byId("latest").hidden = this.#following;
    });
    byId("latest").addEventListener("click", toEnd);
    new ResizeObserver(() => this.#following && toEnd()).observe(scroll);
  }

  #showConnection() {
    const { connection } = this.#shown;
    byId("connection").dataset.kind = connection.kind;
    put(byId("connection").firstElementChild, CONNECTION[connection.kind]);
    const waits = connection.kind === "waiting";
    put(byId("countdown"), waits ? countdownText(connection.retryAt, Date.now()) : "");
    const offer = waits || connection.kind === "refused";
    if (!offer && document.activeElement === byId("reconnect")) byId("text").focus();
    byId("reconnect").hidden = !offer;
    if (waits) {
      this.#countDown ??= setInterval(() => this.#showConnection(), COUNT_DOWN_MS);
    } else {
      clearInterval(this.#countDown);
      this.#countDown = null;
    }
  }

  #showFloor({ status, trail, canStop, obstacle }) {
    const [label, hint] = obstacle && status === "ready" ? TEXT_ALONE : STATUS[status];
    byId("status").dataset.kind = status;
    put(byId("status-text"), label);
    put(byId("hint"), hint);
    byId("stop").setAttribute("aria-disabled", String(!canStop));
    showTrail(byId("trail"), trail);
  }

  #showVoice({ call, via, muted, elsewhere, obstacle, connection }) {
    const talk = byId("talk");
    talk.dataset.call = call;
    byId("upgrade").hidden = via !== "socket";
    talk.setAttribute("aria-pressed", String(call !== "off"));
    talk.disabled = call === "off" && (obstacle !== null || connection.kind !== "connected");
    put(byId("talk-text"), TALK[call]);
    put(byId("mode"), modeText(call, via, muted, obstacle));
    byId("mute").hidden = call !== "live";
    byId("mute").setAttribute("aria-pressed", String(muted));
    put(byId("mute"), muted ? "Unmute" : "Mute");
    byId("here").hidden = !elsewhere;
    byId("level").hidden = call === "off";
    byId("choice").hidden = obstacle !== null;
  }
}

function showTrail(list, trail) {
  const steps = trail.join(" ");
  list.classList.toggle("bare", trail.length < 2);
  if (list.dataset.steps === steps) return;
  list.dataset.steps = steps;
  list.replaceChildren(
    ...trail.map((step) => {
      const element = document.createElement("li");
      element.dataset.kind = step;
      element.textContent = STEP[step];
      return element;
    }),
  );
}

function notice(message, code) {
  const element = document.createElement("div");
  element.className = "notice";
  element.dataset.message = message;
  element.dataset.kind = code ? "error" : "note";
  element.setAttribute("role", code ? "alert" : "status");
  const text = document.createElement("p");
  text.textContent = message;
  element.append(text);
  if (code) {
    const name = document.createElement("code");
    name.textContent = code;
    element.append(name);
  }
  const dismiss = document.createElement("button");
  dismiss.type = "button";
  dismiss.className = "quiet";
  dismiss.textContent = "Dismiss";
  dismiss.addEventListener("click", () => {
    element.remove();
    byId("text").focus();
  });
  element.append(dismiss);
  return element;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function toEnd() {
  if (byId("transcript").firstChild) byId("scroll").scrollTop = byId("scroll").scrollHeight;
}
