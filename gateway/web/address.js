/** Where a gateway is, and how a page presents its token there. */

export const SUBPROTOCOL = "bargein.v1";

export class Address {
  #base;
  #token;

  /** True when another token may be had than the one that was refused. */
  renews;

  /**
   * `url` is that of the gateway (`https://host`, with or without a path); `token` is "" where it asks for none, or a
   * function that is asked each time.
   */
  constructor(url, token = "") {
    this.#base = new URL(url, location.href);
    this.#base.pathname = this.#base.pathname.replace(/(\/v1(\/realtime)?)?\/*$/, "/");
    this.renews = typeof token === "function";
    this.#token = typeof token === "function" ? token : () => token;
  }

  /** The address of a path of the gateway, such as `/v1/realtime/calls`. */
  http(path) {
    return new URL(path.replace(/^\//, ""), this.#base);
  }

  /** What a `Location` of the gateway's means: it is told from the root of its host. */
  located(location) {
    return new URL(location, this.#base);
  }

  /** The address of the WebSocket; `query` is what its query is made of, without what is null. */
  socket(query) {
    const url = this.http("/v1/realtime");
    url.protocol = this.#base.protocol === "https:" ? "wss:" : "ws:";
    for (const [name, value] of [...this.#base.searchParams, ...Object.entries(query)]) {
      if (value !== null && value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }

  /** A browser cannot set a header on a WebSocket, so the token is offered as OpenAI's clients offer theirs. */
  protocols(token = this.#token()) {
    return token ? [SUBPROTOCOL, `openai-insecure-api-key.${token}`] : [SUBPROTOCOL];
  }

  /** Headers that present the token. */
  get headers() {
    const token = this.#token();
    return token ? { Authorization: `Bearer ${token}` } : {};
  }
}
