/**
 * What a live page costs when its run grows, by bit and whole:
 *
 *     node bench/ui/live.js KCSIM [RECORDS [GROWTH]]
 *
 * Brings a run (clients.yaml, at its own server) to RECORDS (20,000), then lets it grow by about GROWTH (100), 20 times. Each
 * time a page takes what is new, and another one, as if it were opened, all: bytes that the server sent, and ms from
 * them to all that the overview, the diagram and the panes are made from, drawing not counted (process time, so that
 * others on the machine count less). Prints the least of each and their ratio.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { App } from "../../ui/web/app.js";
import { Facts } from "../../ui/web/facts.js";
import { Lines } from "../../ui/web/lines.js";
import { load, openGrowth, openTrace } from "../../ui/web/load.js";
import { Model } from "../../ui/web/model.js";

Object.assign(globalThis, { requestAnimationFrame: () => 0 }); // nobody draws here

const [program, size = "20000", growth = "100"] = process.argv.slice(2);
const times = 20;

const scenario = join(dirname(fileURLToPath(import.meta.url)), "clients.yaml");
const server = spawn(program, ["play", scenario], {
  stdio: ["ignore", "pipe", "ignore"],
});
const [line] = await once(server.stdout, "data");
const url = String(line).trim();

/** @param {string} path */
async function get(path) {
  return new Uint8Array(await (await fetch(url + path)).arrayBuffer());
}

/** @param {number} records */
async function stepUntil(records) {
  for (;;) {
    const answer = await fetch(`${url}do`, {
      method: "POST",
      body: '{"do":"step"}',
    });
    if ((await answer.json()).records >= records) return;
  }
}

/** Lets it run, fast, until there are so many records. @param {number} records */
async function runUntil(records) {
  const ask = async (/** @type {object} */ what) =>
    (
      await fetch(`${url}do`, { method: "POST", body: JSON.stringify(what) })
    ).json();
  await ask({ do: "speed", value: 2 });
  let state = await ask({ do: "play" });
  while (state.records < records && !state.over)
    state = await ask({ do: "speed", value: 2 });
  await ask({ do: "pause" });
}

/** What is made when the page is drawn. @param {App} app */
function use(app) {
  void app.model.bands;
  void app.spans.waiting;
  void app.spans.leadCounts;
  void app.spans.busiest;
  app.model.partitions(app.trace.count);
}

/** @param {import("../../ui/web/trace.js").Trace} trace */
function open(trace) {
  const facts = new Facts(trace);
  const app = new App(trace, facts, new Model(trace, facts));
  const lines = new Lines(trace, app.rows());
  use(app);
  return { app, lines };
}

/** @param {() => Promise<unknown>} what @returns {Promise<number>} ms of the processor */
async function taken(what) {
  const before = process.cpuUsage();
  await what();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

await runUntil(Number(size));
const html = new TextDecoder().decode(await get(""));
const block = html.lastIndexOf('id="trace">') + 'id="trace">'.length;
const page = open(
  await load(html.slice(block, html.indexOf("</script>", block))),
);
const whole = {
  bytes: /** @type {number[]} */ ([]),
  ms: /** @type {number[]} */ ([]),
};
const since = {
  bytes: /** @type {number[]} */ ([]),
  ms: /** @type {number[]} */ ([]),
  records: 0,
};
for (let i = 0; i < times; i++) {
  const { trace } = page.app;
  const had = trace.count;
  await stepUntil(had + Number(growth));
  const all = await get("trace");
  const news = await get(
    `growth?version=0&records=${trace.count}&strings=${trace.stringCount}`,
  );
  whole.bytes.push(all.length);
  whole.ms.push(await taken(async () => open(await openTrace(all))));
  since.bytes.push(news.length);
  since.ms.push(
    await taken(async () => {
      trace.grow(await openGrowth(news));
      page.app.grow();
      page.lines.grow();
      use(page.app);
    }),
  );
  since.records += trace.count - had;
}
server.kill("SIGINT");
const show = (/** @type {number} */ bytes, /** @type {number} */ ms) =>
  `${bytes} bytes, ${ms.toFixed(1)} ms`;
const [wb, wm, sb, sm] = [
  Math.min(...whole.bytes),
  Math.min(...whole.ms),
  Math.min(...since.bytes),
  Math.min(...since.ms),
];
console.log(
  `${page.app.trace.count} records, growing by ${(since.records / times).toFixed(0)}`,
);
console.log(
  `whole: ${show(wb, wm)}; what is new: ${show(sb, sm)}; ratio: ${(wb / sb).toFixed(0)} x, ${(wm / sm).toFixed(0)} x`,
);
