// Where the gateway is, and what it may be told: from the environment, where the runner has put it. For Node.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Report } from "./kit.mjs";

const { STAGE_URL: url, STAGE_KEY: key, STAGE_CLIPS: folder, STAGE_EVENTS: kept } = process.env;

export const stage = { url, key, websocket: `${url.replace("http", "ws")}/v1/realtime` };
export const report = new Report((line) => process.stdout.write(`${line}\n`));

/** A recording: 16 bit samples at 24 kHz. */
export const clips = async (name) => new Uint8Array(await readFile(join(folder, `${name}.pcm`)));

/** Leave what was heard to the runner, which looks whether it is as the standard has it. */
export const keep = (events) => writeFile(kept, JSON.stringify(events));
