/**
 * How a report feels in headless Chromium:
 *
 *     tests/ui/npm.sh FOLDER node bench/ui/browser.js REPORT…
 *
 * Per report, in a page of its own of 1440 x 900: ms until the first paint and until everything is mounted; then one movement
 * a frame, 120 frames each, and how long the frames took: scrubbing over the whole run, single steps, scrolling the
 * diagram, all at the level "everything"; the steps once more with each pane shown. "frame" is ms from one to the next
 * (median, and what 95 of 100 stay below): 16.7 is as fast as it goes, and other work on the machine makes it longer. "cpu" is
 * what the page's main thread took of a processor for it: script, style, layout, paint; not the raster threads.
 */
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";

const modules = createRequire(join(process.env["NODE_MODULES"] ?? ".", "x.js"));
const { chromium } = modules("playwright-core");

const frames = 120;
const panes = ["machines", "zookeeper", "queues", "record", "clients", "verdict", "logs", "words"];

/** @param {any} session of the DevTools protocol @returns {Promise<number>} s that the main thread has taken so far */
async function taken(session) {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find((/** @type {any} */ metric) => metric.name === "TaskDuration").value;
}

/**
 * Runs in the page: `move(i)` before each frame.
 *
 * @param {any} page
 * @param {string} move a function of i
 * @returns {Promise<string>} "cpu 9.1 frame 17 (33)"
 */
async function measured(page, move) {
    const before = await taken(page.session);
    /** @type {number[]} */
    const times = await page.evaluate(`(async () => {
        const move = ${move};
        const times = [];
        let last = await new Promise(requestAnimationFrame);
        for (let i = 0; i < ${frames}; i++) {
            move(i);
            const now = await new Promise(requestAnimationFrame);
            times.push(now - last);
            last = now;
        }
        return times.slice(5).sort((a, b) => a - b);
    })()`);
    const cpu = ((await taken(page.session)) - before) * 1000;
    const at = (/** @type {number} */ share) => times[Math.floor(share * (times.length - 1))].toFixed(0);
    return `cpu ${(cpu / frames).toFixed(1)} frame ${at(0.5)} (${at(0.95)})`;
}

/**
 * @param {any} browser
 * @param {string} file
 */
async function measure(browser, file) {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.session = await page.context().newCDPSession(page);
    await page.session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto(`file://${resolve(file)}`);
    while (!(await page.evaluate("document.documentElement.dataset.ready")))
        await page.evaluate("new Promise(requestAnimationFrame)");
    const first = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN");
    const ready = await page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame((now) => done(now))))",
    );
    const count = await page.evaluate("app.trace.count");
    const row = [basename(file), count, first.toFixed(0), ready.toFixed(0)];
    await page.evaluate("app.setLevel(2)");
    row.push(await measured(page, `(i) => app.go(1 + Math.floor((i * app.trace.count) / ${frames}))`));
    await page.evaluate("app.go(app.trace.count / 2)");
    row.push(await measured(page, "() => app.step(1)"));
    row.push(await measured(page, "() => (document.getElementById('rows').scrollTop += 60)"));
    console.log(`| ${row.join(" | ")} |`);
    for (const pane of panes) {
        await page.evaluate(`app.show("${pane}")`);
        await page.evaluate("new Promise(requestAnimationFrame)");
        console.log(`|   step with ${pane} | ${await measured(page, "() => app.step(1)")} |`);
    }
    await page.close();
}

const browser = await chromium.launch({
    executablePath: process.env["KC_CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
});
console.log("| report | records | first paint ms | mounted ms | scrub, ms | step, ms | scroll, ms |");
console.log("|---|---|---|---|---|---|---|");
for (const file of process.argv.slice(2)) await measure(browser, file);
await browser.close();
