/**
 * The panes of the right column, in the order in which they are shown.
 */

/** @typedef {import("./column.js").Pane} Pane */

/** @type {Pane[]} */
export const panes = [];
