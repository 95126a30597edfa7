/** What the page remembers between visits. A browser that refuses to store merely forgets. */

import { freshId } from "./ids.js";

const PREFIX = "bargein.";

function read(storage, name) {
  try {
    return window[storage].getItem(PREFIX + name);
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(PREFIX + name);
    else window[storage].setItem(PREFIX + name, value);
  } catch {
    // Private windows may refuse; everything works without it.
  }
}

/** The conversation to return to, or null. */
export const lastSession = () => read("localStorage", "session");
export const rememberSession = (id) => write("localStorage", "session", id);

/** The microphone chosen last, or "". */
export const lastMicrophone = () => read("localStorage", "microphone") ?? "";
export const rememberMicrophone = (id) => write("localStorage", "microphone", id || null);

/** This tab as a device of the session: two tabs are two devices, a reloaded one is the same. */
export function deviceId() {
  const known = read("sessionStorage", "device");
  if (known) return known;
  const made = freshId("web-").slice(0, 12);
  write("sessionStorage", "device", made);
  return made;
}

/** The gateway's token, or "". It comes once in the page's address as `#token=…`, which no server ever sees. */
export function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    write("sessionStorage", "token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return read("sessionStorage", "token") ?? "";
}
