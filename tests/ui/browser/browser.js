/**
 * A real browser for the tests, and the reports that they open.
 *
 * Every page is watched from before its first byte: what it writes on the console, what it throws, what its policy forbids,
 * and every request but for the file itself. `calm(page)` fails if there was any of it.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const modules = createRequire(join(process.env["NODE_MODULES"] ?? ".", "x.js"));
const { chromium } = modules("playwright-core");

/** @typedef {any} Page of Playwright */
/** @typedef {{width?: number, height?: number, dark?: boolean, still?: boolean, touch?: boolean}} Look */

const root = process.env["KC_ROOT"] ?? ".";
const kcsim = process.env["KCSIM"] ?? "kcsim";

/** Source of axe-core, to be run in a page. */
export const axe = await readFile(modules.resolve("axe-core/axe.min.js"), "utf8");

/** @param {string} name of a module of npm */
export function fromNpm(name) {
    return modules(name);
}

const folder = await mkdtemp(join(tmpdir(), "kcsim-browser-"));
const browser = await chromium.launch({
    executablePath: process.env["KC_CHROMIUM"],
    args: ["--no-sandbox", "--disable-gpu"],
});

/** Ends the browser and forgets the reports. */
export async function end() {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
}

/** @type {Map<string, Promise<string>>} */
const made = new Map();

/**
 * The report of a scenario, written once.
 *
 * @param {string} scenario below scenarios/, or a path
 * @param {...string} more options of kcsim run
 * @returns {Promise<string>} its file
 */
export function report(scenario, ...more) {
    const known = made.get(scenario);
    if (known !== undefined) return known;
    const out = join(folder, `${basename(scenario, ".yaml")}.html`);
    const file = scenario.includes("/bench/") ? join(root, scenario) : join(root, "scenarios", scenario);
    const args = ["run", file, "--report", out, "--output", join(folder, "story.txt"), ...more];
    const made1 = run(kcsim, args, { maxBuffer: 1e8 }).then(() => out);
    made.set(scenario, made1);
    return made1;
}

/**
 * The page of a run and its branch.
 *
 * @param {string} scenario below scenarios/
 * @param {...string} change options of kcsim branch
 * @returns {Promise<string>} its file
 */
export async function branch(scenario, ...change) {
    const out = join(folder, `${basename(scenario, ".yaml")}.pair.html`);
    const args = ["branch", join(root, "scenarios", scenario), ...change, "--report", out];
    await run(kcsim, args, { maxBuffer: 1e8 }).catch((failed) => {
        if (!(failed.code <= 3)) throw failed; // a verdict is no failure
    });
    return out;
}

/** @param {string} name of a file that a test makes */
export function scratch(name) {
    return join(folder, name);
}

/**
 * Opens a file in a page of its own.
 *
 * @param {string | Promise<string>} from
 * @param {string} [hash] "#t=1s"
 * @param {Look} [look]
 * @returns {Promise<Page>}
 */
export async function open(from, hash = "", look = {}) {
    const address = `file://${await from}`;
    return openAt(address, hash, look, (url) => url.split("#")[0] === address);
}

/**
 * Runs `kcsim play`, and opens its page.
 *
 * @param {string} scenario below scenarios/
 * @param {Look} [look]
 * @returns {Promise<{page: Page, url: string, end: () => Promise<number | null>}>} end: stops the server, gives its exit code
 */
export async function play(scenario, look = {}) {
    const server = spawn(kcsim, ["play", join(root, "scenarios", scenario)], { stdio: ["ignore", "pipe", "ignore"] });
    const ended = new Promise((done) => server.on("exit", done));
    const [line] = await once(server.stdout, "data");
    const url = String(line).trim();
    const mayAsk = (/** @type {string} */ asked) => asked.startsWith(url) && asked !== `${url}trace`; // what is new only
    const page = await openAt(url, "", look, mayAsk);
    async function end() {
        server.kill("SIGINT");
        return /** @type {Promise<number | null>} */ (ended);
    }
    return { page, url, end };
}

/**
 * @param {string} address
 * @param {string} hash
 * @param {Look} look
 * @param {(url: string) => boolean} mayAsk for what the page may send requests
 * @returns {Promise<Page>}
 */
export async function openAt(address, hash, look, mayAsk) {
    const context = await browser.newContext({
        viewport: { width: look.width ?? 1440, height: look.height ?? 900 },
        colorScheme: look.dark ? "dark" : "light",
        reducedMotion: look.still ? "reduce" : "no-preference",
        hasTouch: look.touch === true,
    });
    const page = await context.newPage();
    /** @type {string[]} */
    const heard = [];
    page.heard = heard;
    page.on("console", (/** @type {any} */ message) => heard.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (/** @type {Error} */ error) => heard.push(`thrown: ${error.message}`));
    page.on("request", (/** @type {any} */ request) => {
        const url = request.url();
        if (!mayAsk(url)) heard.push(`request: ${url}`);
    });
    await page.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) =>
            console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
        );
    });
    await page.goto(`${address}${hash}`);
    await until(page, "document.documentElement.dataset.ready !== undefined");
    return page;
}

/**
 * Closes a page in which nothing may have gone wrong.
 *
 * @param {Page} page
 */
export async function calm(page) {
    await frames(page);
    assert.deepEqual(page.heard, []);
    await page.context().close();
}

/** @param {Page} page waits until what was asked for is drawn */
export async function frames(page) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/**
 * Waits until something is true in the page. (Playwright's own waiting for a string needs unsafe-eval, which the page's
 * policy forbids.)
 *
 * @param {Page} page
 * @param {string} text
 */
export async function until(page, text) {
    const end = Date.now() + 20000;
    while (!(await page.evaluate(text))) {
        assert.ok(Date.now() < end, `never: ${text}`);
        await frames(page);
    }
}

/** @param {Page} page @returns {Promise<number>} the record of the moment */
export function moment(page) {
    return page.evaluate("app.n");
}

/**
 * Evaluates in the page, then waits until it is drawn.
 *
 * @param {Page} page
 * @param {string} text
 */
export async function tell(page, text) {
    await page.evaluate(text);
    await frames(page);
}

/**
 * Presses keys, one after another.
 *
 * @param {Page} page
 * @param {...string} keys
 */
export async function press(page, ...keys) {
    for (const key of keys) {
        await page.keyboard.press(key);
        await frames(page);
    }
}

/**
 * What axe-core finds.
 *
 * @param {Page} page
 * @returns {Promise<string[]>} what is serious or critical, with the element
 */
export async function findings(page) {
    await page.evaluate(axe);
    return page.evaluate(async () => {
        const { violations } = await /** @type {any} */ (window).axe.run(document, {
            resultTypes: ["violations"],
        });
        return violations
            .filter((/** @type {any} */ one) => one.impact === "serious" || one.impact === "critical")
            .flatMap((/** @type {any} */ one) =>
                one.nodes.map(
                    (/** @type {any} */ node) => `${one.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`,
                ),
            );
    });
}
