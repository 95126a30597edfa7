// What an application on top of @openai/agents-realtime does, in Node as in a page.
import { tool } from "@openai/agents-realtime";
import { Heard } from "./kit.mjs";
import { FORECAST, WEATHER } from "./script.mjs";

export class Application {
  heard = new Heard();
  microphone = null;
  asked = [];
  sent = [];
  complaints = [];
  sounds = "response.output_audio.delta";
  truncates = true;
  #session = null;
  #sound = 0;

  tool() {
    const { name, description, parameters } = WEATHER;
    const execute = async (input) => {
      this.asked.push(input);
      return FORECAST;
    };
    return tool({ name, description, parameters, strict: true, execute });
  }

  /** Follow what the session gets and sends. */
  follow(session) {
    this.#session = session;
    session.on("error", ({ error }) => this.complaints.push(JSON.stringify(error?.error ?? String(error))));
    session.transport.on("*", (event) => this.heard.add(event));
    const send = session.transport.sendEvent.bind(session.transport);
    session.transport.sendEvent = (event) => {
      this.sent.push(event);
      send(event);
    };
  }

  /** So much sound was given to the application. */
  hear(amount) {
    this.#sound += amount;
  }

  sound() {
    return this.#sound;
  }

  say(text) {
    this.#session.sendMessage(text);
  }

  cancel() {
    this.#session.interrupt();
  }

  /** The words of an answer in the package's history. */
  remembered(item) {
    const kept = this.#session.history.find((each) => each.itemId === item);
    return (kept?.content ?? []).map((part) => part.transcript ?? part.text ?? "").join("");
  }
}
