/** The browser's microphones: choosing, opening, and saying in plain words why there is none. */

/** Why no microphone can be had. `code` is stable; `message` is for people. */
export class MicrophoneError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const INSECURE = new MicrophoneError(
  "insecure_context",
  "Browsers give the microphone only to pages from https:// or from localhost. You can still type.",
);

const REASONS = {
  NotAllowedError: ["microphone_denied", "The microphone was not allowed. Allow it in the address bar and press Talk again, or type."],
  NotFoundError: ["microphone_missing", "No microphone was found. Plug one in and press Talk again, or type."],
  NotReadableError: ["microphone_busy", "Another program holds the microphone. Close it and press Talk again, or type."],
};

/** Can this page have a microphone at all? Returns the error that says why not, or null. */
export function obstacle() {
  return window.isSecureContext && navigator.mediaDevices ? null : INSECURE;
}

/** A stream of the microphone `id` ("" takes the default), cleaned of echo. Throws MicrophoneError. */
export async function open(id) {
  const problem = obstacle();
  if (problem) throw problem;
  // The answer comes out of the loudspeaker beside this microphone: without the canceller it would interrupt itself.
  const clean = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: id ? { ...clean, deviceId: { exact: id } } : clean });
  } catch (error) {
    if (id && error.name === "OverconstrainedError") return open(""); // the one chosen last is unplugged
    const [code, message] = REASONS[error.name] ?? ["microphone_failed", "The microphone could not be opened. You can still type."];
    throw new MicrophoneError(code, message);
  }
}

/** What can be chosen, as `[{id, label}]`. Browsers tell names only once the microphone was allowed. */
export async function list() {
  if (obstacle()) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  const inputs = devices.filter((device) => device.kind === "audioinput" && device.deviceId && device.deviceId !== "default");
  return inputs.map((device, index) => ({ id: device.deviceId, label: device.label || `Microphone ${index + 1}` }));
}

/** Call `changed` when one is plugged in or out. */
export function watch(changed) {
  navigator.mediaDevices?.addEventListener("devicechange", changed);
}
