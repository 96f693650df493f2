/**
 * Printing: the page as it stands, in light colours, and behind it the story as a table. The table is made only then.
 */
import { byId, fill, h, seconds } from "./dom.js";
import { sentence } from "./narrate.js";

/** @typedef {import("./app.js").App} App */

const mostRows = 3000;

/** @param {App} app */
export function mountPrint(app) {
    const place = byId("print");
    window.addEventListener("beforeprint", () => {
        const rows = app.rows();
        const shown = [...rows.shown.subarray(0, mostRows)].filter((n) => n <= app.last());
        fill(
            place,
            h("h2", null, "What happened"),
            h(
                "table",
                null,
                h(
                    "tbody",
                    null,
                    shown.map((n) =>
                        h(
                            "tr",
                            null,
                            h("td", null, n),
                            h("td", null, seconds(app.trace.t(n))),
                            h("td", null, sentence(app.trace, n)),
                        ),
                    ),
                ),
            ),
            rows.count > mostRows && h("p", null, `${rows.count - mostRows} more steps are on the page.`),
        );
    });
    window.addEventListener("afterprint", () => fill(place));
}
