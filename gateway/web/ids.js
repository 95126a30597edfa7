/** Ids that nobody else has. */

/** Works in insecure contexts too, where `crypto.randomUUID` is missing. */
export function freshId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
