/**
 * Firefox, over WebDriver BiDi: Playwright drives only a Firefox of its own. As much as a test needs: open a file, evaluate,
 * hear the console.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromNpm } from "./browser.js";

const { WebSocket } = fromNpm("ws");

/** @typedef {{heard: string[], open: (url: string) => Promise<void>, evaluate: (text: string) => Promise<any>, end: () => Promise<void>}} Firefox */

/**
 * Starts it and waits for the address that it prints.
 *
 * @param {string} program
 * @param {string} profile
 * @returns {Promise<{child: import("node:child_process").ChildProcess, address: string}>}
 */
function start(program, profile) {
    const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    return new Promise((done, fail) => {
        let text = "";
        child.on("exit", (code) => fail(new Error(`Firefox ended with ${code}: ${text}`)));
        child.stderr.on("data", (part) => {
            text += part;
            const match = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(text);
            if (match !== null) done({ child, address: `${match[1]}/session` });
        });
    });
}

/**
 * @param {string} program
 * @returns {Promise<Firefox>}
 */
export async function firefox(program) {
    const profile = await mkdtemp(join(tmpdir(), "kcsim-firefox-"));
    const { child, address } = await start(program, profile);
    const socket = new WebSocket(address);
    await new Promise((done, fail) => socket.once("open", done).once("error", fail));
    /** @type {Map<number, {done: (value: any) => void, fail: (error: Error) => void}>} */
    const asked = new Map();
    /** @type {string[]} */
    const heard = [];
    let last = 0;
    socket.on("message", (/** @type {any} */ data) => {
        const message = JSON.parse(`${data}`);
        const waits = asked.get(message.id);
        if (message.method === "log.entryAdded") heard.push(`${message.params.level}: ${message.params.text}`);
        else if (message.type === "error") waits?.fail(new Error(message.message));
        else waits?.done(message.result);
    });
    /** @param {string} method @param {object} params @returns {Promise<any>} */
    function ask(method, params) {
        const id = ++last;
        return new Promise((done, fail) => {
            asked.set(id, { done, fail });
            socket.send(JSON.stringify({ id, method, params }));
        });
    }
    await ask("session.new", { capabilities: {} });
    await ask("session.subscribe", { events: ["log.entryAdded"] });
    const { context } = await ask("browsingContext.create", { type: "tab" });
    await ask("browsingContext.setViewport", { context, viewport: { width: 1440, height: 900 } });
    return {
        heard,
        open: (url) => ask("browsingContext.navigate", { context, url, wait: "complete" }),
        evaluate: async (text) => {
            const expression = `(async () => JSON.stringify(await (${text})))()`;
            const answer = await ask("script.evaluate", { expression, target: { context }, awaitPromise: true });
            if (answer.type === "exception") throw new Error(answer.exceptionDetails.text);
            return answer.result.value === undefined ? undefined : JSON.parse(answer.result.value);
        },
        end: async () => {
            const gone = new Promise((done) => child.once("exit", done));
            await ask("browser.close", {}).catch(() => child.kill());
            await gone;
            await rm(profile, { recursive: true, force: true, maxRetries: 5 });
        },
    };
}
