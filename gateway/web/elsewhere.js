/** A dialog that brings another device in: the address of the conversation, as text to copy and as a code to scan. */

/**
 * Show it for the conversation `session` at the gateway `address`. `fallback` is the page's own address for it, which is
 * what this machine's other browsers need where nobody else reaches the gateway.
 */
export async function showElsewhere(dialog, address, session, fallback) {
  const part = (name) => dialog.querySelector(`[data-part=${name}]`);
  const { url, svg, message } = await found(address, session, fallback);
  part("code").replaceChildren(...(svg ? [drawing(svg)] : []));
  part("address").textContent = url;
  part("why").textContent = message;
  part("copied").textContent = "";
  part("copy").onclick = async () => {
    try {
      await navigator.clipboard.writeText(url);
      part("copied").textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(part("address"));
    }
  };
  if (!dialog.open) dialog.showModal();
}

async function found(address, session, fallback) {
  try {
    const response = await fetch(address.http(`/v1/sessions/${encodeURIComponent(session)}/link`), { headers: address.headers });
    const answer = await response.json();
    return response.ok ? { ...answer, message: "" } : { url: fallback, svg: "", message: answer.error.message };
  } catch {
    return { url: fallback, svg: "", message: "The gateway cannot be asked now." };
  }
}

function drawing(svg) {
  const { documentElement } = new DOMParser().parseFromString(svg, "image/svg+xml");
  documentElement.setAttribute("role", "img");
  documentElement.setAttribute("aria-label", "QR code of the address");
  return document.importNode(documentElement, true);
}
