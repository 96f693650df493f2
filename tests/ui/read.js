/**
 * What the tests share: reports and traces made by the program under test (environment: KCSIM, KC_ORACLE, KC_ROOT).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "../../ui/web/load.js";

/** @typedef {import("../../ui/web/trace.js").Trace} Trace */

export const root = process.env.KC_ROOT ?? ".";

/** @param {string} name @returns {string} */
function program(name) {
    const path = process.env[name];
    if (path === undefined) throw new Error(`${name} must name a program; ctest sets it`);
    return path;
}

/**
 * @param {string[]} args
 * @returns {string} what the program printed; a failed verdict is no failure here
 */
export function kcsim(...args) {
    const path = program("KCSIM");
    try {
        return execFileSync(path, args, {
            encoding: "utf8",
            cwd: root,
            stdio: ["ignore", "pipe", "pipe"],
            maxBuffer: 1 << 30,
        });
    } catch (failure) {
        const { status, stdout, stderr } = /** @type {any} */ (failure);
        if (status >= 0 && status <= 3) return stdout;
        throw new Error(`kcsim ${args.join(" ")}: ${stderr}`);
    }
}

/**
 * @param {string[]} args
 * @returns {any[]} its lines, parsed
 */
export function oracle(...args) {
    const text = execFileSync(program("KC_ORACLE"), args, { encoding: "utf8", maxBuffer: 1 << 30 });
    return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line));
}

/**
 * @param {string} html
 * @param {string} [id] of the block
 * @returns {string} the text of its data block
 */
export function dataBlock(html, id = "trace") {
    const begin = `<script type="application/octet-stream" id="${id}">`;
    const at = html.lastIndexOf(begin);
    const end = html.indexOf("</script>", at);
    return html.slice(at + begin.length, end < 0 ? undefined : end);
}

/**
 * @param {string} file a report
 * @returns {Promise<Trace>}
 */
export function readReport(file) {
    return load(dataBlock(readFileSync(file, "utf8")));
}

/**
 * Runs a scenario in a folder of its own, which goes when `use` is done.
 * @param {string} scenario its file, and options of `kcsim run` behind it
 * @param {(made: {trace: Trace, ndjson: string, html: string, lines: string[]}) => void | Promise<void>} use
 */
export async function withRun(scenario, use) {
    const folder = temporary();
    const [ndjson, html] = [join(folder.path, "t.ndjson"), join(folder.path, "t.html")];
    try {
        kcsim(
            "run",
            ...scenario.split(" "),
            "--trace",
            ndjson,
            "--report",
            html,
            "--output",
            join(folder.path, "story"),
        );
        const lines = readFileSync(ndjson, "utf8").trimEnd().split("\n");
        await use({ trace: await readReport(html), ndjson, html, lines });
    } finally {
        folder.remove();
    }
}

/** @returns {{path: string, remove: () => void}} a folder of its own */
export function temporary() {
    const path = mkdtempSync(join(tmpdir(), "kcsim-ui-"));
    return { path, remove: () => rmSync(path, { recursive: true }) };
}

/**
 * Imports Kafka's logs, as withRun.
 * @param {string[]} logs
 * @param {(made: {trace: Trace, ndjson: string, html: string, lines: string[]}) => void | Promise<void>} use
 */
export async function withImport(logs, use) {
    const folder = mkdtempSync(join(tmpdir(), "kcsim-ui-"));
    const [ndjson, html] = [join(folder, "t.ndjson"), join(folder, "t.html")];
    try {
        kcsim("import", ...logs, "--trace", ndjson);
        kcsim("import", ...logs, "--report", html);
        await use({
            trace: await readReport(html),
            ndjson,
            html,
            lines: readFileSync(ndjson, "utf8").trimEnd().split("\n"),
        });
    } finally {
        rmSync(folder, { recursive: true });
    }
}

/** @param {number} seed @returns {() => number} fractions, the same for the same seed */
export function chance(seed) {
    let state = seed;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}
