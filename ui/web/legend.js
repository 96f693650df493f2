/**
 * The signs of the diagram, drawn once for the line below it and for the help.
 */
import { byId, fill, h, s } from "./dom.js";

/** @type {[string, () => SVGElement, string][]} */
const all = [
    ["write", () => s("rect", { x: 2, y: 2, width: 10, height: 10, class: "zookeeper" }), "ZooKeeper writes"],
    ["watch", () => s("path", { d: "M7 1 13 7 7 13 1 7Z", class: "watch" }), "a watch fires"],
    ["decide", () => s("path", { d: "M7 1 13 12 1 12Z", class: "control" }), "a decision"],
    ["move", () => s("rect", { x: 0, y: 4, width: 14, height: 6, rx: 3, class: "control" }), "a state machine moves"],
    ["refused", () => s("path", { d: "M2 2H12V12H2ZM4 4 10 10M10 4 4 10", class: "refused" }), "refused, lost"],
    ["event", () => s("path", { d: "M3 1H9V13H3ZM12 4V13", class: "event" }), "event in work, waiting"],
    ["fault", () => s("path", { d: "M8 0 3 8H7L6 14 11 6H7Z", class: "fault" }), "fault"],
    ["chain", () => s("path", { d: "M1 12 7 3 13 9", class: "chain" }), "chain of causes"],
];

/** The signs with their words, for a list. */
export function signs() {
    return all.map(([, draw, text]) =>
        h(
            "span",
            null,
            /** @type {any} */ (
                s("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, draw())
            ),
            " ",
            text,
        ),
    );
}

export function mountLegend() {
    fill(byId("legend"), ...signs());
}
