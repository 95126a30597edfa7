// @openai/agents-realtime in a page, over WebRTC: its own bundle, a microphone of recordings, and a meter for what is heard.
import { OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession } from "@openai/agents-realtime";
import { Application } from "./agents-application.mjs";
import { NotApplicable, RATE_HZ, Report } from "./kit.mjs";
import { hold } from "./script.mjs";

const QUIET = 0.003; // below it a piece of sound is silence
const context = new AudioContext();

/** A track that is silent until something is said. */
class Room {
  #destination = context.createMediaStreamDestination();
  stream = this.#destination.stream;

  say(sound) {
    const samples = new Int16Array(sound.buffer);
    const buffer = context.createBuffer(1, samples.length, RATE_HZ);
    buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32_768), 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#destination);
    source.start();
  }
}

/** Counts how often sound was heard. */
function listen(stream, hear) {
  const meter = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(meter);
  const samples = new Float32Array(meter.fftSize);
  setInterval(() => {
    meter.getFloatTimeDomainData(samples);
    if (Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length) > QUIET) hear(1);
  }, 20);
}

async function clips(name) {
  const found = await fetch(`/clips/${name}.pcm`);
  return new Uint8Array(await found.arrayBuffer());
}

/** Called by the driver with the gateway's address and a client secret; it has made `keep`. */
globalThis.run = async (url, secret) => {
  const report = new Report((line) => console.log(line));
  const application = new Application();
  application.sounds = "output_audio_buffer.started";
  application.truncates = false;
  const room = new Room();
  application.microphone = room;
  const loudspeaker = document.querySelector("#loudspeaker");
  loudspeaker.addEventListener("loadedmetadata", () => listen(loudspeaker.srcObject, (times) => application.hear(times)));
  const transport = new OpenAIRealtimeWebRTC({
    baseUrl: `${url}/v1/realtime/calls`,
    mediaStream: room.stream,
    audioElement: loudspeaker,
  });
  const agent = new RealtimeAgent({ name: "assistant", instructions: "Be brief.", tools: [application.tool()] });
  const session = new RealtimeSession(agent, { transport, model: "local" });
  application.follow(session);
  await session.connect({ apiKey: secret });
  await hold(application, clips, report, globalThis.keep);
  session.close();
  await report.case("resume", async () => {
    throw new NotApplicable("the package does not connect again");
  });
};
