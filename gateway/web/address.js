/** Where the gateway's WebSocket is, and how a page presents its token there. */

import { token } from "./keep.js";

export const SUBPROTOCOL = "bargein.v1";

/** The address of a WebSocket; `query` is what its query is made of, without what is null. */
export function socketUrl(query) {
  const url = new URL("/v1/realtime", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(query)) if (value !== null) url.searchParams.set(name, value);
  return url;
}

/** A browser cannot set a header on a WebSocket, so the token is offered as OpenAI's clients offer theirs. */
export function protocols() {
  return token() ? [SUBPROTOCOL, `openai-insecure-api-key.${token()}`] : [SUBPROTOCOL];
}
