/**
 * The moment of two runs in the address: as link.js has it, of the run that is looked at, and `in`: 1 for the other one.
 * A page without a link opens at the first difference.
 */
import { applyLink, currentLink } from "./link.js";

/** @typedef {import("./pair_app.js").Pair} Pair */

const restMs = 300; // browsers refuse to have the address changed all the time

/** @param {Pair} pair */
export function mountPairLink(pair) {
    let written = "";
    let rest = 0;
    function apply() {
        const hash = location.hash.replace(/^#/, "");
        pair.look(new URLSearchParams(hash).get("in") === "1" ? 1 : 0);
        applyLink(pair.now, hash);
    }
    function write() {
        const link = `${currentLink(pair.now)}${pair.side === 1 ? "&in=1" : ""}`;
        if (link === written) return;
        written = link;
        try {
            history.replaceState(null, "", link);
        } catch {
            // an embedded page may not
        }
    }
    if (location.hash.length > 1) apply();
    else if (pair.rows.first >= 0) pair.first();
    else pair.go(0);
    window.addEventListener("hashchange", () => {
        if (location.hash !== written) apply();
    });
    for (const event of /** @type {const} */ (["moment", "why", "pane", "level"])) {
        pair.on(event, () => {
            clearTimeout(rest);
            rest = setTimeout(write, restMs);
        });
    }
}
